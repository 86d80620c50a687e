/** What is on a channel, in Vue 3: `const view = storeRef(computed(() => messagesStore(client.channel(`chat:${props.room}`))))`. */
import type { Store } from '@fanfare/client/store';
import { type ComputedRef, onMounted, type ShallowRef, shallowRef, watch } from 'vue';

/** Follows the store while the component is mounted; on a server it is what there is before a connection. */
export function storeRef<Value>(source: ComputedRef<Store<Value>>): Readonly<ShallowRef<Value>> {
  const view = shallowRef(source.value.getServerSnapshot());
  onMounted(() =>
    watch(
      source,
      (store, _, onCleanup) => {
        const update = () => {
          view.value = store.getSnapshot();
        };
        onCleanup(store.subscribe(update));
        update();
      },
      { immediate: true },
    ),
  );
  return view;
}

/** The element of the page with this id. */
export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
}

export function create<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  { className, text }: { readonly className?: string; readonly text?: string } = {},
  ...children: readonly Node[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

/** `4,312` */
export function formatCount(count: number): string {
  return count.toLocaleString('en');
}

/** `14:03:27`, of ms since the Unix epoch. */
export function formatTime(time: number): string {
  return new Date(time).toLocaleTimeString('en-GB');
}

/** Appends to a list that keeps its last items, and stays at its end if it was there. */
export function appendTo(list: HTMLElement, item: HTMLElement, most: number): void {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 24;
  list.querySelector('.empty')?.remove();
  list.append(item);
  while (list.childElementCount > most) list.firstElementChild?.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

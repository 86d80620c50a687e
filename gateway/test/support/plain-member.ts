import { RAW_DIALECTS } from '@fanfare/protocol/raw';
import type { Member } from '../../src/hub/member.js';

/** A client that takes everything at once. @param onReplayed told of every replayed frame, as text */
export function plainMember(onReplayed: (frame: string) => void = () => {}): Member {
  return {
    dialectIndex: 0,
    dialect: RAW_DIALECTS.json,
    subscribe() {},
    unsubscribe() {},
    sendReplayed(frame) {
      onReplayed(Buffer.from(frame).toString());
      return true;
    },
    cork: (callback) => callback(),
    isLagging: false,
    isDrained: true,
    drained: async () => {},
    oneOfFew: (task) => task(),
  };
}

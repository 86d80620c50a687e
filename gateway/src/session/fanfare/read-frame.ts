import { type ClientFrame, MalformedFrameError, type Payload, type RawDialect } from '@fanfare/protocol';
import { CLIENT_FRAMES, parseClientFrame } from '@fanfare/protocol/validate';

export type ReadFrame =
  | {
      readonly ok: true;
      readonly frame: ClientFrame;
      /** The application data of the frame, still raw. */
      readonly payload: Payload | undefined;
    }
  | {
      readonly ok: false;
      readonly message: string;
      /** The id of the frame, if it could be read. */
      readonly id: number | undefined;
      /** `false` if it is a well-formed frame of a type that this version does not know. */
      readonly isKnownType: boolean;
    };

/** Decodes and validates what a client sent. @param onFault called with faults that should not happen */
export function readFrame(
  dialect: RawDialect,
  data: Uint8Array,
  onFault: (message: string, error: unknown) => void,
): ReadFrame {
  try {
    const { fields, payload } = dialect.decodeRaw(data);
    const parsed = parseClientFrame(fields, payload !== undefined);
    if (parsed.ok) return { ok: true, frame: parsed.frame, payload };
    return { ok: false, message: parsed.message, id: parsed.id, isKnownType: isKnownType(fields.type) };
  } catch (error) {
    if (error instanceof MalformedFrameError) {
      return { ok: false, message: error.message, id: error.id, isKnownType: true };
    }
    onFault('decoding failed', error);
    return { ok: false, message: 'malformed frame', id: undefined, isKnownType: true };
  }
}

function isKnownType(type: unknown): boolean {
  return typeof type !== 'string' || Object.hasOwn(CLIENT_FRAMES, type);
}

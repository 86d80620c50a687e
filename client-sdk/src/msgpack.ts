/** MessagePack for `createClient({ codec })`: smaller frames, and binary data without base64. */
export { msgpackDialect } from '@fanfare/protocol/msgpack';

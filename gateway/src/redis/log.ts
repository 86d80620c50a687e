/** Where this layer writes what operators should know; the logger of the gateway is one. */
export interface RedisLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

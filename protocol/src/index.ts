export * from './channel-name.js';
export * from './codes.js';
export * from './dialects/dialect.js';
export * from './frames.js';
export * from './payload.js';
export * from './position.js';
export * from './raw-frames.js';

export * from '../../../loadtest/src/topology/redis-process.js';

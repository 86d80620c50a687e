/** Real Redis servers: those that the load tester starts for its users. */
export * from '../../../loadtest/src/topology/redis-servers.js';

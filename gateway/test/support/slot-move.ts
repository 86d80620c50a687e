export * from '../../../loadtest/src/topology/slot-move.js';

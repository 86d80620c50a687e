/** For scenarios in TypeScript. */
export { defineScenario, type ScenarioInput } from './scenario/scenario.js';

import type { ChainCase } from './chain-case.ts';
import { DOCUMENTED_SHAPES } from './documented-shapes.ts';
import { generatedCases } from './generate.ts';

const SEED = 20_261_123;
const GENERATED = 240;

/** Every shape of Consul's documentation, and seeded combinations of them. */
export const CORPUS: readonly ChainCase[] = [...DOCUMENTED_SHAPES, ...generatedCases(SEED, GENERATED)];

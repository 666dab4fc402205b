import { afterAll, beforeAll, test } from 'vitest';
import { CONTRACT, ContractApi } from './contract.ts';
import { IDENTITY_CONTRACT } from './identity-contract.ts';
import { INDEX_CONTRACT } from './index-contract.ts';
import { MESH_CONTRACT } from './mesh-contract.ts';
import { type Registry, startRegistry } from './registry.ts';

let registry: Registry;

beforeAll(async () => {
  registry = await startRegistry({ port: 0 });
});

afterAll(async () => {
  await registry.stop();
});

test.each([...CONTRACT, ...INDEX_CONTRACT, ...IDENTITY_CONTRACT, ...MESH_CONTRACT])('$name', async (contractCase) => {
  await contractCase.run(new ContractApi(registry.url));
});

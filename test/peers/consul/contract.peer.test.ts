import { afterAll, beforeAll, test } from 'vitest';
import { CONTRACT, ContractApi } from '../../../src/registry/contract.ts';
import { IDENTITY_CONTRACT } from '../../../src/registry/identity-contract.ts';
import { INDEX_CONTRACT } from '../../../src/registry/index-contract.ts';
import { MESH_CONTRACT } from '../../../src/registry/mesh-contract.ts';
import { type ConsulAgent, startConsul } from '../support/consul.ts';
import { describeWithPeer } from '../support/peer.ts';

/** The same cases run against the embedded registry in `src/registry/contract.test.ts`. */
describeWithPeer('consul', 'a real Consul keeps the contract', () => {
  let consul: ConsulAgent;
  beforeAll(async () => {
    consul = await startConsul();
  });
  afterAll(async () => {
    await consul?.stop();
  });

  test.each([...CONTRACT, ...INDEX_CONTRACT, ...IDENTITY_CONTRACT, ...MESH_CONTRACT])('$name', async (contractCase) => {
    await contractCase.run(new ContractApi(consul.httpAddress));
  });
});

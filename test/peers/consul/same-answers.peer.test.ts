import { expect, test } from 'vitest';
import { startRegistry } from '../../../src/registry/registry.ts';
import { startConsul } from '../support/consul.ts';
import { describeWithPeer } from '../support/peer.ts';
import { Agent } from './ask-both.ts';
import { EXCHANGES } from './exchanges.ts';

describeWithPeer('consul', 'the embedded registry and a real Consul', () => {
  test.each(EXCHANGES)('answer alike: $name', async ({ exchanges }) => {
    await using consul = await startConsul();
    const registry = await startRegistry({ port: 0 });
    try {
      const real = new Agent(consul.httpAddress);
      const own = new Agent(registry.url);
      await Promise.all([real.learnItsNode(), own.learnItsNode()]);
      for (const exchange of exchanges) {
        const [wanted, given] = await Promise.all([real.ask(exchange), own.ask(exchange)]);
        const asked = `${exchange.method} ${exchange.path} ${JSON.stringify(exchange.body ?? '')}`;
        expect.soft(given, asked).toEqual(wanted);
      }
    } finally {
      await registry.stop();
    }
  });
});

import type Consul from 'consul';
import { z } from 'zod';
import type { ConsulClients } from './consul-clients.ts';
import { text } from './fields.ts';

/** Services an overview reads; a bigger mesh shows the first of them by name and says so. */
const MAX_OVERVIEW_SERVICES = 500;
const OVERVIEW_CONCURRENCY = 8;
const OVERVIEW_FRESH_MS = 2_000;

/** One service as the overview shows it. */
export interface ServiceOverview {
  readonly name: string;
  readonly tags: readonly string[];
  readonly instances: readonly InstanceOverview[];
}

export interface InstanceOverview {
  readonly id: string;
  readonly node: string;
  readonly address: string;
  readonly port: number;
  readonly kind: string;
  /** The worst of its checks. */
  readonly health: 'passing' | 'warning' | 'critical';
}

/** The agent of whoever asks. */
export interface AgentIdentity {
  readonly node: string;
  readonly datacenter: string;
}

const agentSelf = z.object({ Config: z.object({ NodeName: z.string(), Datacenter: text }) });

const agentPolicy = z.object({ DebugConfig: z.object({ DefaultIntentionPolicy: text }).nullish() });

const healthRow = z.object({
  Node: z.object({ Node: text, Address: text }),
  Service: z.looseObject({ ID: text, Address: text, Port: z.number(), Kind: text }),
  Checks: z.array(z.object({ Status: text })),
});

const servicesBody = z.record(z.string(), z.array(z.string()).nullish());

/** Questions that are asked once and not watched, through Consul's own client for Node. */
export class OneShots {
  readonly #clients: ConsulClients;
  readonly #addressOfNow: () => string;
  readonly #agents = new Map<string, Promise<AgentIdentity>>();
  #overview: { readonly atMs: number; readonly services: Promise<readonly ServiceOverview[]> } | undefined;

  constructor(clients: ConsulClients, addressOfNow: () => string) {
    this.#clients = clients;
    this.#addressOfNow = addressOfNow;
  }

  /** Who the agent that answers is; an agent keeps its name, so it is asked once. */
  agent(): Promise<AgentIdentity> {
    const address = this.#addressOfNow();
    const known = this.#agents.get(address);
    if (known !== undefined) return known;
    const asked = this.#askAgent();
    this.#agents.set(address, asked);
    asked.catch(() => this.#agents.delete(address));
    return asked;
  }

  async #askAgent(): Promise<AgentIdentity> {
    const { Config: config } = agentSelf.parse(await this.#ask('/v1/agent/self', (client) => client.agent.self()));
    return { node: config.NodeName, datacenter: config.Datacenter };
  }

  /**
   * The agent's own word on calls that no intention is about; `notSet` where it leaves that to its default policy for tokens. Asked
   * anew each time: it is another one when the agent was started again.
   */
  async defaultIntentionPolicy(): Promise<'allow' | 'deny' | 'notSet'> {
    const answer = await this.#ask('/v1/agent/self', (client) => client.agent.self());
    const policy = agentPolicy.parse(answer).DebugConfig?.DefaultIntentionPolicy ?? '';
    if (policy === '') return 'notSet';
    return policy === 'allow' ? 'allow' : 'deny';
  }

  /** Every service with its instances, at most a few seconds old. */
  services(nowMs: number): Promise<readonly ServiceOverview[]> {
    const kept = this.#overview;
    if (kept !== undefined && nowMs - kept.atMs < OVERVIEW_FRESH_MS) return kept.services;
    const services = this.#readServices();
    this.#overview = { atMs: nowMs, services };
    services.catch(() => {
      if (this.#overview?.services === services) this.#overview = undefined;
    });
    return services;
  }

  async #readServices(): Promise<readonly ServiceOverview[]> {
    const tagsByName = servicesBody.parse(
      await this.#ask('/v1/catalog/services', (client) => client.catalog.services()),
    );
    const names = Object.keys(tagsByName).sort().slice(0, MAX_OVERVIEW_SERVICES);
    const services: ServiceOverview[] = [];
    let next = 0;
    const reader = async (): Promise<void> => {
      while (next < names.length) {
        const at = next;
        next += 1;
        const name = names[at] ?? '';
        services[at] = { name, tags: tagsByName[name] ?? [], instances: await this.#instances(name) };
      }
    };
    await Promise.all(Array.from({ length: OVERVIEW_CONCURRENCY }, reader));
    return services;
  }

  async #instances(service: string): Promise<readonly InstanceOverview[]> {
    const rows = await this.#ask(`/v1/health/service/${service}`, (client) => client.health.service({ service }));
    return z
      .array(healthRow)
      .parse(rows)
      .map(({ Node: node, Service: instance, Checks: checks }) => ({
        id: instance.ID,
        node: node.Node,
        address: instance.Address === '' ? node.Address : instance.Address,
        port: instance.Port,
        kind: instance.Kind,
        health: worstOf(checks.map(({ Status: status }) => status)),
      }));
  }

  #ask(where: string, question: (client: Consul) => Promise<unknown>): Promise<unknown> {
    return this.#clients.ask(this.#addressOfNow(), where, question);
  }

  close(): void {
    this.#clients.close();
  }
}

function worstOf(statuses: readonly string[]): InstanceOverview['health'] {
  if (statuses.some((status) => status !== 'passing' && status !== 'warning')) return 'critical';
  return statuses.includes('warning') ? 'warning' : 'passing';
}

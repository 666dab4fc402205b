import Consul from 'consul';
import { z } from 'zod';
import { text } from './fields.ts';

/** A question that is asked once must not keep anyone waiting: a console shows what it has. */
const ANSWER_WITHIN_MS = 2_000;
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

const healthRow = z.object({
  Node: z.object({ Node: text, Address: text }),
  Service: z.looseObject({ ID: text, Address: text, Port: z.number(), Kind: text }),
  Checks: z.array(z.object({ Status: text })),
});

/** Questions that are asked once and not watched, through Consul's own client for Node. */
export class OneShots {
  readonly #addressOfNow: () => string;
  readonly #token: string | undefined;
  readonly #clients = new Map<string, Consul>();
  readonly #agents = new Map<string, Promise<AgentIdentity>>();
  #overview: { readonly atMs: number; readonly services: Promise<readonly ServiceOverview[]> } | undefined;

  constructor(addressOfNow: () => string, token: string | undefined) {
    this.#addressOfNow = addressOfNow;
    this.#token = token;
  }

  /** The leader's address. Rejects when Consul is away, and when there is no leader. */
  async leader(): Promise<string> {
    const leader = await this.#client().status.leader();
    if (leader === '') throw new Error('the Consul servers have no leader');
    return leader;
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
    const { Config: config } = agentSelf.parse(await this.#client().agent.self());
    return { node: config.NodeName, datacenter: config.Datacenter };
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

  close(): void {
    for (const client of this.#clients.values()) client.destroy();
    this.#clients.clear();
  }

  async #readServices(): Promise<readonly ServiceOverview[]> {
    const tagsByName = z.record(z.string(), z.array(z.string())).parse(await this.#client().catalog.services());
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
    const rows: unknown = await this.#client().health.service({ service });
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

  #client(): Consul {
    const address = this.#addressOfNow();
    const kept = this.#clients.get(address);
    if (kept !== undefined) return kept;
    const url = new URL(address);
    const secure = url.protocol === 'https:';
    const options = {
      host: url.hostname,
      port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
      secure,
      timeout: ANSWER_WITHIN_MS,
      ...(this.#token === undefined ? {} : { defaults: { token: this.#token } }),
    };
    const client = new Consul(options);
    this.#clients.set(address, client);
    return client;
  }
}

function worstOf(statuses: readonly string[]): InstanceOverview['health'] {
  if (statuses.some((status) => status !== 'passing' && status !== 'warning')) return 'critical';
  return statuses.includes('warning') ? 'warning' : 'passing';
}

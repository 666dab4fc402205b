import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * The part of Consul's HTTP API that a control server reads, over a mesh that is made up: so many services, so many sidecars, ten on
 * each node. It answers by rule and keeps no state but indexes and how often a service changed, so that it costs next to nothing.
 */
export interface MeshShape {
  readonly services: number;
  readonly sidecars: number;
  readonly upstreamsPerSidecar: number;
}

const SIDECARS_PER_NODE = 10;
const FIRST_INDEX = 100;
/** Consul's, for questions that name none; ours name milliseconds. */
const DEFAULT_WAIT_MS = 300_000;
const FIRST_BIND_PORT = 9_000;

interface HeldQuestion {
  readonly index: number;
  readonly answer: () => void;
}

export function sidecarId(sidecar: number): string {
  return `p${sidecar}-sidecar-proxy`;
}

/** Everybody calls service 0, and some others that are spread evenly. */
export function upstreamsOf(sidecar: number, shape: MeshShape): readonly number[] {
  const chosen = new Set<number>([0]);
  for (let step = 0; chosen.size < Math.min(shape.upstreamsPerSidecar, shape.services); step += 1) {
    chosen.add((sidecar * 7 + step * 61 + 1) % shape.services);
  }
  return [...chosen];
}

export class ScriptedConsul {
  readonly #shape: MeshShape;
  readonly #server: Server;
  readonly #held = new Map<string, Set<HeldQuestion>>();
  readonly #indexes = new Map<string, number>();
  /** How often each service was changed: the weight of its first instance, so that every state is a new one. */
  readonly #changes = new Map<number, number>();
  #index = FIRST_INDEX;

  private constructor(shape: MeshShape) {
    this.#shape = shape;
    this.#server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => this.#answer(request, response));
  }

  static async start(shape: MeshShape): Promise<ScriptedConsul> {
    const consul = new ScriptedConsul(shape);
    await new Promise<void>((resolve) => consul.#server.listen(0, '127.0.0.1', 4096, resolve));
    return consul;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** One instance of a service has another weight. */
  changeInstance(service: number): void {
    this.#changes.set(service, (this.#changes.get(service) ?? 0) + 1);
    const path = `/v1/health/connect/${serviceName(service)}`;
    this.#index += 1;
    this.#indexes.set(path, this.#index);
    for (const question of [...(this.#held.get(path) ?? [])]) question.answer();
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://consul');
    const path = url.pathname;
    const asked = Number(url.searchParams.get('index') ?? 0);
    const body = this.#body(path, url.searchParams.get('filter') ?? '');
    if (body === undefined) {
      response.writeHead(404).end('not found');
      return;
    }
    const index = this.#indexes.get(path) ?? FIRST_INDEX;
    const waitMs = Number.parseInt(url.searchParams.get('wait') ?? '', 10) || DEFAULT_WAIT_MS;
    if (asked === index) this.#hold(path, index, waitMs, response);
    else send(response, index, body());
  }

  #hold(path: string, index: number, waitMs: number, response: ServerResponse): void {
    const questions = this.#held.get(path) ?? new Set();
    this.#held.set(path, questions);
    const question: HeldQuestion = {
      index,
      answer: () => {
        clearTimeout(timer);
        questions.delete(question);
        send(response, this.#indexes.get(path) ?? FIRST_INDEX, this.#body(path, '')?.());
      },
    };
    // Consul's own jitter, so that questions do not end together.
    const timer = setTimeout(question.answer, waitMs + (waitMs / 16) * Math.random());
    questions.add(question);
    response.on('close', () => {
      clearTimeout(timer);
      questions.delete(question);
    });
  }

  #body(path: string, filter: string): (() => unknown) | undefined {
    const last = path.slice(path.lastIndexOf('/') + 1);
    if (path === '/v1/status/leader') return () => '127.0.0.1:8300';
    if (path === '/v1/agent/self') return () => ({ Config: { NodeName: 'agent', Datacenter: 'dc1' } });
    if (path === '/v1/connect/ca/roots') return () => ({ TrustDomain: 'bench.consul', Roots: [] });
    if (path === '/v1/health/state/any') return () => checksOf(/ServiceID == "(.*)"/.exec(filter)?.[1] ?? '');
    if (path === '/v1/config/proxy-defaults') return () => [PROXY_DEFAULTS];
    if (path.startsWith('/v1/config/')) return () => [];
    if (path.startsWith('/v1/catalog/node-services/')) return () => this.#nodeServices(Number(last.slice(1)), filter);
    if (path.startsWith('/v1/health/connect/')) return () => this.#health(Number(last.slice(1)));
    return undefined;
  }

  #nodeServices(node: number, filter: string): unknown {
    const wanted = /ID == "(.*)"/.exec(filter)?.[1];
    const services = Array.from({ length: SIDECARS_PER_NODE }, (_, at) => node * SIDECARS_PER_NODE + at)
      .filter((sidecar) => sidecar < this.#shape.sidecars)
      .map((sidecar) => this.#registration(sidecar))
      .filter(({ ID }) => wanted === undefined || ID === wanted);
    return { Node: { Node: nodeName(node), Address: '127.0.0.1', Datacenter: 'dc1' }, Services: services };
  }

  #registration(sidecar: number): { readonly ID: string } {
    const service = sidecar % this.#shape.services;
    const fields = {
      ID: sidecarId(sidecar),
      Kind: 'connect-proxy',
      Service: `${serviceName(service)}-sidecar-proxy`,
      Address: addressOf(sidecar),
      Port: 21_000,
      ModifyIndex: FIRST_INDEX,
      Proxy: {
        DestinationServiceName: serviceName(service),
        DestinationServiceID: `p${sidecar}`,
        LocalServiceAddress: '127.0.0.1',
        LocalServicePort: 8_080,
        Upstreams: upstreamsOf(sidecar, this.#shape).map((upstream) => ({
          DestinationName: serviceName(upstream),
          LocalBindPort: FIRST_BIND_PORT + upstream,
        })),
      },
    };
    return fields;
  }

  #health(service: number): unknown {
    const { services, sidecars } = this.#shape;
    const rows: unknown[] = [];
    for (let sidecar = service; sidecar < sidecars; sidecar += services) {
      const weight = sidecar === service ? 1 + ((this.#changes.get(service) ?? 0) % 127) : 1;
      rows.push({
        Node: { Node: nodeName(nodeOf(sidecar)), Address: '127.0.0.1', Datacenter: 'dc1' },
        Service: {
          ID: sidecarId(sidecar),
          Service: `${serviceName(service)}-sidecar-proxy`,
          Address: addressOf(sidecar),
          Port: 21_000,
          Weights: { Passing: weight, Warning: 1 },
          ModifyIndex: FIRST_INDEX,
        },
        Checks: [{ Status: 'passing' }],
      });
    }
    return rows;
  }
}

const PROXY_DEFAULTS = { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' }, ModifyIndex: 1 };

function serviceName(service: number): string {
  return `s${service}`;
}

function nodeName(node: number): string {
  return `n${node}`;
}

function nodeOf(sidecar: number): number {
  return Math.floor(sidecar / SIDECARS_PER_NODE);
}

function addressOf(sidecar: number): string {
  return `10.${sidecar >> 16}.${(sidecar >> 8) & 255}.${sidecar & 255}`;
}

function checksOf(id: string): unknown {
  const sidecar = Number(/^p(\d+)-sidecar-proxy$/.exec(id)?.[1] ?? Number.NaN);
  return Number.isNaN(sidecar) ? [] : [{ Node: nodeName(nodeOf(sidecar)), ServiceID: id, Status: 'passing' }];
}

function send(response: ServerResponse, index: number, body: unknown): void {
  response.setHeader('content-type', 'application/json');
  response.setHeader('x-consul-index', String(index));
  response.setHeader('x-consul-knownleader', 'true');
  response.end(JSON.stringify(body));
}

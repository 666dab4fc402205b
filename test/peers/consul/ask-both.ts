import type { Exchange } from './exchanges.ts';

/** One agent's answer, with all that two agents cannot share replaced. */
export interface PlainAnswer {
  readonly status: number;
  readonly hasIndex: boolean;
  readonly body: unknown;
}

const ASK_WITHIN_MS = 10_000;
const PAUSE_MS = 25;
/** Values that are an agent's own, whatever it is called. */
const OWN_FIELDS: ReadonlySet<string> = new Set([
  'CreateIndex',
  'ModifyIndex',
  'RaftIndex',
  'LockIndex',
  'ContentHash',
  'CreateTime',
  'CreatedAt',
  'UpdatedAt',
]);

export class Agent {
  readonly #url: string;
  #nodeName = '';
  #nodeId = '';

  constructor(url: string) {
    this.#url = url;
  }

  async learnItsNode(): Promise<void> {
    const self = (await (await fetch(`${this.#url}/v1/agent/self`)).json()) as {
      readonly Config: { readonly NodeName: string; readonly NodeID: string };
    };
    this.#nodeName = self.Config.NodeName;
    this.#nodeId = self.Config.NodeID;
  }

  /** Rejects only where there is no answer; one that never becomes as long as wanted is given as it last was. */
  async ask(exchange: Exchange): Promise<PlainAnswer> {
    const deadlineMs = performance.now() + ASK_WITHIN_MS;
    const { untilLength, untilText = '' } = exchange;
    for (;;) {
      const answer = await this.#askOnce(exchange);
      const isLongEnough =
        untilLength === undefined || (Array.isArray(answer.body) && answer.body.length === untilLength);
      const isThere = isLongEnough && JSON.stringify(answer.body).includes(untilText);
      if (isThere || performance.now() > deadlineMs) return answer;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  async #askOnce(exchange: Exchange): Promise<PlainAnswer> {
    try {
      return await this.#askOver(exchange);
    } catch (error) {
      throw new Error(`${this.#url}: ${exchange.method} ${exchange.path} has no answer`, { cause: error });
    }
  }

  async #askOver({ method, path, body }: Exchange): Promise<PlainAnswer> {
    const response = await fetch(`${this.#url}${path}`, {
      method,
      signal: AbortSignal.timeout(ASK_WITHIN_MS),
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      hasIndex: response.headers.has('x-consul-index'),
      body: this.#plain(parsed(text)),
    };
  }

  #plain(value: unknown, key = ''): unknown {
    if (OWN_FIELDS.has(key)) return `<${key}>`;
    if (Array.isArray(value)) return value.map((each) => this.#plain(each)).toSorted(byText);
    if (typeof value === 'string') return this.#plainText(value);
    if (typeof value !== 'object' || value === null) return value;
    // A node is compared where somebody wrote it, not where it is the agent's own.
    if (
      Reflect.get(value, 'Node') === this.#nodeName &&
      Reflect.has(value, 'TaggedAddresses') &&
      !Reflect.has(value, 'ServiceID')
    )
      return '<own node>';
    // Of the agent's own node, what it is like is its own as well; addresses for transparent proxies are handed out by servers.
    // When in its first interval a TCP check is run is chance.
    const isTcpCheck = Reflect.get(value, 'Type') === 'tcp' && Reflect.has(value, 'CheckID');
    const isOwnRow = Reflect.get(value, 'Node') === this.#nodeName;
    const isShared = (name: string): boolean =>
      name !== 'consul-virtual' && !(isOwnRow && name === 'NodeMeta') && !(isTcpCheck && name === 'Output');
    const entries = Object.entries(value)
      .filter(([name]) => isShared(name))
      .map(([name, inner]) => [name, this.#plain(inner, name)] as const);
    return Object.fromEntries(
      entries.filter(([name, inner]) => name !== 'Hash' && !isZero(inner)).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    );
  }

  #plainText(text: string): string {
    return text
      .replaceAll(this.#nodeId, '<node id>')
      .replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, (id) => (id.startsWith('00000000') ? id : '<id>'))
      .split(this.#nodeName === text ? text : '\0')
      .join('<node>');
  }
}

/** A field that is absent and one with Go's zero value are one to those who read them; Consul itself writes now this, now that. */
function isZero(value: unknown): boolean {
  if (value === null || value === '' || value === 0 || value === false || value === '0s') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/**
 * What stands behind these words is the wording of Go's JSON decoder, of mapstructure and of the generated filter grammar, and no
 * promise of Consul's: that the answer is a refusal of this kind is compared, the rest is not.
 */
const WORDED_BY_LIBRARIES = [
  /^(Request decode failed:)[\s\S]*$/,
  /^(Request decoding failed:)[\s\S]*$/,
  /^(Failed to create boolean expression evaluator:)[\s\S]*$/,
  // A circle begins where Go's map happened to begin.
  /^(detected circular resolver redirect:)[\s\S]*$/,
];

function withoutLibraryWords(text: string): string {
  return WORDED_BY_LIBRARIES.reduce((left, pattern) => left.replace(pattern, '$1 <…>'), text);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return withoutLibraryWords(text.trimEnd());
  }
}

/** Order of rows is nobody's promise, except where it is: those rows are compared one by one. */
function byText(a: unknown, b: unknown): number {
  const [left, right] = [String(JSON.stringify(a)), String(JSON.stringify(b))];
  return left < right ? -1 : left > right ? 1 : 0;
}

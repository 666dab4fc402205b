/** Finds the endpoint of a path. */
import { ApiError } from '../api-error.ts';
import type { Endpoint, Route } from './exchange.ts';

export interface Matched {
  readonly endpoint: Endpoint;
  readonly parameters: readonly string[];
}

interface CompiledRoute extends Route {
  readonly segments: readonly string[];
}

export class MethodNotAllowed extends ApiError {
  readonly allowed: readonly string[];

  constructor(method: string, allowed: readonly string[]) {
    super(405, `method ${method} not allowed`);
    this.allowed = allowed;
  }
}

export class Router {
  readonly #routes: readonly CompiledRoute[];

  constructor(routes: readonly Route[]) {
    // A fixed word beats a parameter in the same place: `/v1/connect/intentions/match` before `/v1/connect/intentions/:id`.
    this.#routes = routes
      .map((route) => ({ ...route, segments: route.path.slice(1).split('/') }))
      .sort((a, b) => parametersIn(a.segments) - parametersIn(b.segments));
  }

  match(method: string, path: string): Matched {
    const parts = path.slice(1).split('/');
    const allowed = new Set<string>();
    for (const route of this.#routes) {
      const raw = matchSegments(route.segments, parts);
      if (raw === undefined) continue;
      if (route.methods.includes(method)) return { endpoint: route.endpoint, parameters: raw.map(decoded) };
      for (const known of route.methods) allowed.add(known);
    }
    if (allowed.size > 0) throw new MethodNotAllowed(method, [...allowed]);
    throw new ApiError(404, `Invalid URL path: not a recognized HTTP API endpoint`);
  }
}

function matchSegments(segments: readonly string[], parts: readonly string[]): string[] | undefined {
  const parameters: string[] = [];
  for (const [at, segment] of segments.entries()) {
    if (segment.startsWith(':') && segment.endsWith('*')) {
      if (at > parts.length) return undefined;
      parameters.push(parts.slice(at).join('/'));
      return parameters;
    }
    const part = parts[at];
    if (part === undefined) return undefined;
    if (segment.startsWith(':')) parameters.push(part);
    else if (segment !== part) return undefined;
  }
  return parts.length === segments.length ? parameters : undefined;
}

function parametersIn(segments: readonly string[]): number {
  return segments.filter((segment) => segment.startsWith(':')).length;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ApiError(400, `Invalid URL escape in ${JSON.stringify(text)}`);
  }
}

import { expect, test } from 'vitest';
import { type Recording, type RecordingOptions, recordRequests, recordResponses } from './record-events.ts';

/** A test of one row of the HTTP/1.1 conformance page. The page is made from these names. */
export function row(number: number, behaviour: string, check: () => void): void {
  test(`row ${String(number).padStart(2, '0')}: ${behaviour}`, check);
}

/** Start line and field lines to the text of a head. */
export function head(...lines: readonly string[]): string {
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** A GET that is sound but for the lines given. */
export function get(...lines: readonly string[]): string {
  return head('GET / HTTP/1.1', 'Host: a', ...lines);
}

/** A POST that is sound but for the lines given, and a body. */
export function post(lines: readonly string[], body = ''): string {
  return head('POST / HTTP/1.1', 'Host: a', ...lines) + body;
}

export function chunkedPost(body: string): string {
  return post(['Transfer-Encoding: chunked'], body);
}

export function ok(lines: readonly string[], body = ''): string {
  return head('HTTP/1.1 200 OK', ...lines) + body;
}

/** The request is refused with that fault and no request is completed from its bytes. */
export function expectRefusedRequest(bytes: string, fault: string, options: RecordingOptions = {}): void {
  const recording = recordRequests(bytes, options);
  expect(recording.fault, JSON.stringify(bytes.slice(0, 200))).toBe(fault);
  expect(recording.events).not.toContain('end');
}

/** As above before a head is seen: nothing at all goes on. */
export function expectNothingForwarded(bytes: string, fault: string, options: RecordingOptions = {}): void {
  const recording = recordRequests(bytes, options);
  expect(recording.fault, JSON.stringify(bytes.slice(0, 200))).toBe(fault);
  expect(recording.forwarded).toBe('');
}

export function expectRefusedResponse(bytes: string, fault: string, options: RecordingOptions = {}): void {
  const recording = recordResponses(bytes, options);
  expect(recording.fault, JSON.stringify(bytes.slice(0, 200))).toBe(fault);
  expect(recording.events).not.toContain('end');
}

export function accepted(recording: Recording): Recording {
  expect(recording.fault).toBe('');
  return recording;
}

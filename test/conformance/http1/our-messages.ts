/** Messages completed in a recording's events, in the shape in which they are compared with another parser's. */
export interface OurMessage {
  readonly method: string;
  /** '' where HTTP/1.0 named none: such a request is not forwarded as it is. */
  readonly authority: string;
  readonly path: string;
  readonly version: number;
  readonly status: number;
  readonly fields: readonly string[];
  readonly body: string;
}

const REQUEST_HEAD = /^head ([A-Z0-9_-]+) (\S*) (\S*) (10|11) /;
const RESPONSE_HEAD = /^head ([0-9]{3}) /;

export function completedMessages(events: readonly string[]): OurMessage[] {
  const messages: OurMessage[] = [];
  let message: OurMessage | undefined;
  for (const event of events) {
    if (event.startsWith('head ')) message = messageOf(event);
    else if (message === undefined) continue;
    else if (event.startsWith('fields ')) message = { ...message, fields: fieldsOf(event.slice('fields '.length)) };
    else if (event.startsWith('body ')) message = { ...message, body: event.slice('body '.length) };
    else if (event.startsWith('end')) {
      messages.push(message);
      message = undefined;
    }
  }
  return messages;
}

function messageOf(event: string): OurMessage {
  const status = RESPONSE_HEAD.exec(event)?.[1];
  const [, method = '', authority = '', path = '', version = '0'] = REQUEST_HEAD.exec(event) ?? [];
  const empty = { fields: [], body: '' };
  if (status !== undefined)
    return { ...empty, method: '', authority: '', path: '', version: 0, status: Number(status) };
  return { ...empty, method, authority, path, version: Number(version), status: 0 };
}

/** Flat pairs from the recorder's `name=value | !name=value`. Values of the grammar hold no ` | `. */
function fieldsOf(described: string): string[] {
  if (described === '') return [];
  return described.split(' | ').flatMap((field) => {
    const [name = '', ...value] = field.replace(/^!/, '').split('=');
    return [name, value.join('=')];
  });
}

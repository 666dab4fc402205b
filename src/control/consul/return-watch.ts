/** A server that has been away must answer this often in a row before it is asked again: one that flaps is left alone. */
const ANSWERS_IN_A_ROW = 3;

/** Counts the good answers of addresses that are wanted more than the one in use, and says when one of them may be returned to. */
export class ReturnWatch {
  readonly #answers = new Map<string, number>();

  /** Probes each of `wanted` once; gives the most wanted one that has answered often enough, and forgets what it knew then. */
  async ready(wanted: readonly string[], probe: (address: string) => Promise<unknown>): Promise<string | undefined> {
    await Promise.all(
      wanted.map(async (address) => {
        const answered = await probe(address).then(
          () => true,
          () => false,
        );
        this.#answers.set(address, answered ? (this.#answers.get(address) ?? 0) + 1 : 0);
      }),
    );
    const back = wanted.find((address) => (this.#answers.get(address) ?? 0) >= ANSWERS_IN_A_ROW);
    if (back !== undefined || wanted.length === 0) this.#answers.clear();
    return back;
  }
}

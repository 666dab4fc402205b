import { errorAt, type Problem } from './problem.ts';

/** Why one part of a proxy cannot be translated. Thrown within the room only; it ends that part and no other. */
export class TranslationFault extends Error {
  readonly where: string;

  constructor(where: string, message: string) {
    super(message);
    this.name = 'TranslationFault';
    this.where = where;
  }

  get problem(): Problem {
    return errorAt(this.where, this.message);
  }
}

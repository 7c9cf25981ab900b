/** A request that is turned away with a status and, by the outer middleware, a page or a JSON error that says what next. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;
  readonly retryAfterSeconds: number | undefined;
  constructor(status: number, options: { readonly retryAfterSeconds?: number } = {}) {
    super(`refused with ${status}`);
    this.status = status;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

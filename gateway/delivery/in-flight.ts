// Limits the messages in flight: a counting semaphore with one taker.

export class InFlight {
  readonly #max: number
  #count = 0
  #released: PromiseWithResolvers<void> | undefined

  constructor(max: number) {
    this.#max = max
  }

  get count(): number {
    return this.#count
  }

  /** Returns false when the limit is reached. */
  enter(): boolean {
    if (this.#count >= this.#max) return false
    this.#count++
    return true
  }

  leave(): void {
    this.#count--
    this.#released?.resolve()
    this.#released = undefined
  }

  /** Resolves when the next message leaves. */
  released(): Promise<void> {
    this.#released ??= Promise.withResolvers()
    return this.#released.promise
  }

  /** Resolves when no message is in flight. */
  async idle(): Promise<void> {
    while (this.#count > 0) await this.released()
  }
}

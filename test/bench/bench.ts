// What a bench is, and how its figures become lines of the one table that `npm run bench` prints.

/** One line: something measured, beside the peer it is held against. */
export interface Row {
  readonly what: string
  readonly 'messages/s'?: number
  readonly 'p50 ms'?: number
  readonly 'p99 ms'?: number
  /** User and system time of the process under test; hardly moved by what else the machine does. */
  readonly 'CPU µs/message'?: number
  /** The share of the thread that runs JavaScript: its inverse is the most that two idle cores could reach. */
  readonly 'main thread'?: number
  /** Messages per second as a multiple of the peer's, in the same run. */
  readonly ratio?: string
}

export interface BenchOptions {
  /** A few seconds, to see that it runs and roughly where it stands. */
  readonly quick: boolean
  /** Rows whose name has this text; empty: all. */
  readonly only: string
}

export interface Bench {
  readonly summary: string
  run(options: BenchOptions): Promise<readonly Row[]>
}

export function round(value: number, digits = 0): number {
  return Number(value.toFixed(digits))
}

export function ratioOf(value: number, peer: number, name: string): string {
  return `${(value / peer).toFixed(2)} × ${name}`
}

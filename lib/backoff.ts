// How long to wait before trying again: capped exponential with full jitter.

export interface Backoff {
  readonly baseMs: number
  readonly capMs: number
}

/** Milliseconds before attempt `attempt` (0 = the first retry): random(0, min(cap, base · 2^attempt)). */
export function backoffMs({ baseMs, capMs }: Backoff, attempt: number, random: () => number): number {
  return random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30))
}

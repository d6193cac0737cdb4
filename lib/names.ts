// A bound on names that a stranger may choose: the first ones have an account of their own, the rest share one.

/** The account that all names without an account of their own share. */
export const others = '(others)'

export interface NamesOptions {
  /** Names with an account of their own; known names do not count. */
  readonly most: number
  /** A name that was not seen for this long loses its account: nothing it counted may matter by then. */
  readonly idleMs: number
  /** A known name always has an account of its own. */
  readonly isKnown?: (name: string) => boolean
  readonly now: () => number
}

export interface Names {
  /** The name itself, or `others`. */
  accountOf(name: string): string
}

/** In characters; a longer name shares the account of the others. */
const longestName = 128
/** How often a full table is searched for idle names. */
const sweepEveryMs = 1_000

export function createNames({ most, idleMs, isKnown = () => false, now }: NamesOptions): Names {
  const seenAt = new Map<string, number>()
  let sweptAt = Number.NEGATIVE_INFINITY

  const sweep = (at: number) => {
    if (at - sweptAt < sweepEveryMs) return
    sweptAt = at
    for (const [name, seen] of seenAt) if (at - seen > idleMs) seenAt.delete(name)
  }

  return {
    accountOf(name) {
      if (isKnown(name)) return name
      if (name.length > longestName) return others
      const at = now()
      if (!seenAt.has(name)) {
        if (seenAt.size >= most) sweep(at)
        if (seenAt.size >= most) return others
      }
      seenAt.set(name, at)
      return name
    },
  }
}

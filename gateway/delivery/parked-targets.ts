// For which targets of a template messages are parked: counts by hash, so that any number of names takes 4 KiB.

export interface ParkedTargets {
  add(target: string): void
  remove(target: string): void
  /** false: none is parked. true: some are, for this target or for one with the same hash. */
  mayHold(target: string): boolean
}

const buckets = 1_024

/** `unknown`: messages of an earlier run. Their targets are unknown until they are read, and they are removed first. */
export function createParkedTargets(unknown: number): ParkedTargets {
  const counts = new Uint32Array(buckets)
  let left = unknown
  return {
    add(target) {
      counts[bucketOf(target)]!++
    },
    remove(target) {
      const bucket = bucketOf(target)
      if (left > 0) left--
      else if (counts[bucket]! > 0) counts[bucket]!--
    },
    mayHold: (target) => left > 0 || counts[bucketOf(target)]! > 0,
  }
}

/** FNV-1a. */
function bucketOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return (hash >>> 0) % buckets
}

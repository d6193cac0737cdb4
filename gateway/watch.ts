// Sees when files of a directory change, and asks for one reload however many were written.
import { watch } from 'node:fs/promises'
import type { Clock } from '../lib/clock.ts'

export interface WatchOptions {
  readonly dir: string
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Never called while an earlier call has not resolved. Must not reject. */
  readonly reload: () => Promise<void>
}

/** Editors write a file in several steps, and people change several files: wait until that is over. */
const quietMs = 100

/** Where a directory is swapped as a whole, as for a mounted ConfigMap, only its link is seen to change. */
const concerns = (filename: string | null) => filename === null || filename.endsWith('.json') || filename === '..data'

/** Resolves when the signal aborts, or when the directory cannot be watched any more. */
export async function watchJson({ dir, clock, signal, reload }: WatchOptions): Promise<void> {
  let reloading: Promise<void> = Promise.resolve()
  let scheduled = false
  try {
    for await (const { filename } of watch(dir, { signal, persistent: false })) {
      if (scheduled || !concerns(filename)) continue
      scheduled = true
      reloading = reloading
        .then(() => clock.sleep(quietMs, signal))
        .then(() => {
          scheduled = false
          return reload()
        })
        .catch(() => undefined) // only the stop ends a sleep early
    }
  } catch {
    // The stop, or a directory that is gone: what is in use stays in use.
  }
}

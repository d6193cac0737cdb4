// The things in use and their change while devices are connected: a whole new registry or the old one, nothing in between.
import type { Clock } from '../../lib/clock.ts'
import { readAndWatch } from '../../lib/watch.ts'
import { textOf } from '../errors.ts'
import { createCondition } from '../observe/condition.ts'
import type { Observe } from '../observe/observe.ts'
import { loadThings, noThings, type Things } from './things.ts'

export interface Registry {
  readonly current: () => Things
  /** Called after each change, until the returned function is called. */
  listen(listener: () => void): () => void
}

export interface RegistryOptions {
  readonly observe: Observe
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Rejects with CONFIG_INVALID when the file or a policy has anything wrong in it. Later, a broken file leaves the old registry in use and says so. */
export async function createRegistry(path: string | undefined, options: RegistryOptions): Promise<Registry> {
  if (path === undefined) return { current: () => noThings, listen: () => () => undefined }
  const { observe, clock, signal } = options
  const listeners = new Set<() => void>()
  const outdated = createCondition({ observe, clock }, { target: path, code: 'CONFIG_INVALID' })
  const polled = createCondition({ observe, clock }, { target: `watch of ${path}`, code: 'WATCH_FAILED' })
  const loaded = (next: Things) => {
    outdated.clear()
    observe.record('registry.loaded', { count: next.count, detail: path })
    return next
  }
  let things = loaded(
    await readAndWatch({
      pathsOf: ({ policyFiles }) => [path, ...policyFiles],
      read: () => loadThings(path),
      use(next) {
        things = loaded(next)
        for (const listener of listeners) listener()
      },
      reject(error) {
        const detail = textOf(error)
        observe.record('registry.rejected', { code: 'CONFIG_INVALID', detail })
        outdated.raise({ detail: `the things in use are older than their files, so revocations may be missing: ${detail}` })
      },
      polled: (why) => (why === undefined ? polled.clear() : polled.raise({ detail: why })),
      ...{ clock, signal },
    }),
  )

  return {
    current: () => things,
    listen(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

// The things in use and their change while devices are connected: a whole new registry or the old one, nothing in between.
import { dirname } from 'node:path'
import type { Clock } from '../../lib/clock.ts'
import { textOf } from '../errors.ts'
import type { Observe } from '../observe/observe.ts'
import { watchJson } from '../watch.ts'
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
  const watched = new Set<string>()
  let things = await loadThings(path)

  const loaded = () => {
    observe.record('registry.loaded', { count: things.count, detail: path })
    for (const file of [path, ...things.policyFiles]) {
      const dir = dirname(file)
      if (watched.has(dir)) continue
      watched.add(dir)
      void watchJson({ dir, clock, signal, reload })
    }
  }
  const reload = async () => {
    try {
      things = await loadThings(path)
    } catch (error) {
      return observe.record('registry.rejected', { code: 'CONFIG_INVALID', detail: textOf(error) })
    }
    loaded()
    for (const listener of listeners) listener()
  }
  loaded()

  return {
    current: () => things,
    listen(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

// Reads configuration files again when they change, also when a directory above them is replaced, moved away or swapped by a link.
import { type FSWatcher, watch as watchDir } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Clock } from './clock.ts'

export interface WatchOptions<T> {
  /** What to look at for the value that is in use: files, and directories with a trailing `/`, of which every `*.json` counts. */
  readonly pathsOf: (value: T) => readonly string[]
  readonly read: () => Promise<T>
  /** The files have changed and were read. Until then, and for as long as they cannot be read, the value in use stays. */
  readonly use: (value: T) => void
  /** The files have changed and cannot be used. */
  readonly reject: (error: unknown) => void
  /** Why changes are noticed by polling alone; undefined: they no longer are. */
  readonly polled: (why: string | undefined) => void
  readonly clock: Clock
  readonly signal: AbortSignal
  /** For tests. */
  readonly watch?: typeof watchDir
}

/** The safety net: a watch on a directory that was replaced reports nothing, so the files themselves are looked at as well. */
const pollMs = 1_000
/** After an event: a busy directory has thousands of them. */
const lookAgainMs = 20
/** Editors write a file in several steps, and people change several files: wait until nothing changes for so long. */
const quietMs = 100
/** Where files are gone or a directory was replaced, the rest may still be on its way. */
const quietAfterRemovalMs = 1_000
/** Files that never stop changing are read after this time. */
const maxWaitMs = 10_000

/** What files look like from outside: equal texts mean that nothing has changed. */
interface Look {
  readonly files: ReadonlyMap<string, string>
  /** Identities of the directories: another one needs another watch. */
  readonly dirs: ReadonlyMap<string, string>
  readonly text: string
}

/*
   change seen (watch, or poll) ─▶ look until quiet ─▶ read ─▶ look again ─┬─ the same ─▶ use, or reject
                                        ▲                                 └─ changed while it was read ─┐
                                        └───────────────────────────────────────────────────────────────┘
*/
/** Resolves with the first value, and rejects where it cannot be read. Watches until the signal aborts. */
export async function readAndWatch<T>(options: WatchOptions<T>): Promise<T> {
  const { pathsOf, read } = options
  // What changes between the look and the second reading is seen as a change later.
  const paths = pathsOf(await read())
  const look = await lookAt(paths)
  const value = await read()
  void watchFiles(options, value, look)
  return value
}

async function watchFiles<T>(options: WatchOptions<T>, first: T, firstLook: Look): Promise<void> {
  const { pathsOf, read, use, reject, clock, signal } = options
  let paths = pathsOf(first)
  let seen = firstLook
  const changes = createChanges(options)
  const settle = async (): Promise<Look> => {
    const startedAt = clock.monotonic()
    let last = await lookAt(paths)
    for (let since = startedAt; ; ) {
      const quiet = hasRemovals(seen, last) ? quietAfterRemovalMs : quietMs
      await clock.sleep(quietMs, signal)
      const next = await lookAt(paths)
      const now = clock.monotonic()
      if (next.text !== last.text) since = now
      last = next
      if (now - since >= quiet || now - startedAt >= maxWaitMs) return last
    }
  }
  const reload = async (): Promise<void> => {
    const look = await settle()
    if (look.text === seen.text) return
    const outcome = await read().then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    )
    const after = await lookAt(paths)
    if (after.text !== look.text) return changes.again()
    seen = look
    if (!('value' in outcome)) return reject(outcome.error)
    paths = pathsOf(outcome.value)
    seen = await lookAt(paths)
    use(outcome.value)
  }
  const report = (error: unknown) => {
    signal.throwIfAborted()
    reject(error)
  }
  try {
    for (;;) {
      const look = await lookAt(paths)
      changes.watch(look.dirs)
      if (look.text !== seen.text) await reload().catch(report)
      await changes.next()
      await clock.sleep(lookAgainMs, signal)
    }
  } catch (error) {
    changes.stop()
    if (!signal.aborted) throw error
  }
}

/** Tells when to look: soon after an event of a directory, and after `pollMs` in any case. */
function createChanges({ polled, clock, signal, watch = watchDir }: Pick<WatchOptions<never>, 'polled' | 'clock' | 'signal' | 'watch'>) {
  const watchers = new Map<string, { readonly identity: string; readonly watcher: FSWatcher }>()
  let waiting = Promise.withResolvers<void>()
  let isPolled = false
  const wake = () => waiting.resolve()
  const stopPolling = clock.every(pollMs, wake)
  signal.addEventListener('abort', wake, { once: true })

  const setPolled = (why: string | undefined) => {
    if (why === undefined && !isPolled) return
    isPolled = why !== undefined
    polled(why)
  }
  const close = (dir: string) => {
    watchers.get(dir)?.watcher.close()
    watchers.delete(dir)
  }
  /** Returns why the directory cannot be watched. */
  const arm = (dir: string, identity: string): string | undefined => {
    try {
      const watcher = watch(dir, { persistent: false }, wake)
      watcher.on('error', () => close(dir))
      watchers.set(dir, { identity, watcher })
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'ENOENT') return `${dir}: cannot be watched (${code}); changes are noticed within ${pollMs} ms`
    }
  }
  return {
    /** Watches these directories, each by its present identity, and no others. */
    watch(dirs: ReadonlyMap<string, string>) {
      let why: string | undefined
      for (const dir of watchers.keys()) if (!dirs.has(dir)) close(dir)
      for (const [dir, identity] of dirs) {
        if (watchers.get(dir)?.identity === identity) continue
        close(dir)
        if (identity !== '') why = arm(dir, identity) ?? why
      }
      setPolled(why)
    },
    again: wake,
    /** Rejects when the signal aborts. */
    async next() {
      await waiting.promise
      waiting = Promise.withResolvers()
      signal.throwIfAborted()
    },
    stop() {
      stopPolling()
      for (const dir of [...watchers.keys()]) close(dir)
    },
  }
}

async function lookAt(paths: readonly string[]): Promise<Look> {
  const files = new Map<string, string>()
  const dirs = new Map<string, string>()
  for (const path of paths) {
    const dir = path.endsWith('/') ? path.slice(0, -1) : dirname(path)
    if (!dirs.has(dir)) dirs.set(dir, await identityOf(dir))
    if (!path.endsWith('/')) files.set(path, await stateOf(path))
    else for (const name of await namesIn(dir)) files.set(join(dir, name), await stateOf(join(dir, name)))
  }
  return { files, dirs, text: JSON.stringify([...dirs, ...files]) }
}

/** A link's target counts, so swapping a link is a change of every file below it. */
async function stateOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`
  } catch {
    return ''
  }
}

async function identityOf(dir: string): Promise<string> {
  try {
    const { dev, ino } = await stat(dir, { bigint: true })
    return `${dev} ${ino}`
  } catch {
    return ''
  }
}

async function namesIn(dir: string): Promise<readonly string[]> {
  try {
    return (await readdir(dir)).filter((name) => name.endsWith('.json')).sort()
  } catch {
    return []
  }
}

function hasRemovals(before: Look, after: Look): boolean {
  for (const [path, state] of before.files) if (state !== '' && (after.files.get(path) ?? '') === '') return true
  for (const [dir, identity] of before.dirs) if (after.dirs.get(dir) !== identity) return true
  return false
}

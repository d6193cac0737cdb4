// A file system in memory that forgets what was not synced when the plug is pulled, and that fails when a test says so.
import type { SpoolFile, SpoolFs } from '../../gateway/spool/fs.ts'

type Change = { readonly position: number; readonly bytes: Uint8Array } | { readonly length: number }

interface Node {
  content: Buffer
  durable: Buffer
  unsynced: Change[]
}

export type Call =
  | 'makeDir'
  | 'list'
  | 'open'
  | 'rename'
  | 'remove'
  | 'syncDir'
  | 'write'
  | 'read'
  | 'datasync'
  | 'truncate'
  | 'size'
  | 'close'

export interface MemoryFs extends SpoolFs {
  /** Asked before every call; an error it returns is what the call rejects with. A write that fails has written its first half. */
  fault: (call: Call, path: string) => Error | undefined
  /** The plug is pulled: every call from now on hangs, and what comes back is the disk as the next start finds it. */
  crash(random: () => number): MemoryFs
  /** The same disk once more, to look at without disturbing it. */
  copy(): MemoryFs
  readonly files: ReadonlyMap<string, Buffer>
  /** Damages a file behind the back of its owner. */
  overwrite(path: string, position: number, bytes: Uint8Array): void
}

export function errno(code: string): Error {
  return Object.assign(new Error(`${code}: made by the test`), { code })
}

const sectorBytes = 512
let boots = 0

export function createMemoryFs(nodes = new Map<string, Node>()): MemoryFs {
  let durableNames = new Map(nodes)
  let off = false
  const boot = ++boots

  const call = async <T>(name: Call, path: string, work: (failing: boolean) => T): Promise<T> => {
    if (off) return new Promise<never>(() => {})
    const error = fs.fault(name, path)
    if (error && (name === 'write' || name === 'datasync')) work(true)
    if (error) throw error
    const result = work(false)
    await new Promise((resolve) => setImmediate(resolve))
    return off ? new Promise<never>(() => {}) : result
  }

  const existing = (path: string) => {
    const node = nodes.get(path)
    if (!node) throw errno('ENOENT')
    return node
  }

  const change = (node: Node, done: Change) => {
    node.unsynced.push(done)
    node.content = apply(node.content, done)
  }

  const toFile = (node: Node, path: string): SpoolFile => {
    const write = (bytes: Uint8Array, position: number) =>
      call('write', path, (failing) => {
        const length = failing ? Math.floor(bytes.length / 2) : bytes.length
        change(node, { position, bytes: Buffer.from(bytes.subarray(0, length)) })
      })
    const datasync = () =>
      call('datasync', path, (failing) => {
        // As Linux does: pages that could not be written are clean afterwards, and no later sync brings them back.
        if (!failing) node.durable = node.unsynced.reduce(apply, node.durable)
        node.unsynced = []
      })
    return {
      write,
      writeThrough: (bytes, position) => write(bytes, position).then(datasync),
      read: (buffer, position) =>
        call('read', path, () => {
          const part = node.content.subarray(position, position + buffer.length)
          buffer.set(part)
          return part.length
        }),
      datasync,
      truncate: (length) => call('truncate', path, () => change(node, { length })),
      size: () => call('size', path, () => node.content.length),
      close: () => call('close', path, () => undefined),
    }
  }

  const fs: MemoryFs = {
    fault: () => undefined,
    makeDir: (path) => call('makeDir', path, () => undefined),
    list: (dir) =>
      call('list', dir, () => {
        const inside = [...nodes.keys()].filter((path) => path.startsWith(`${dir}/`))
        return [...new Set(inside.map((path) => path.slice(dir.length + 1).split('/', 1)[0]!))]
      }),
    open: (path, flags) =>
      call('open', path, () => {
        if (flags === 'wx' && nodes.has(path)) throw errno('EEXIST')
        if (flags === 'wx' || (flags === 'w' && !nodes.has(path))) {
          nodes.set(path, { content: Buffer.alloc(0), durable: Buffer.alloc(0), unsynced: [] })
        }
        const node = existing(path)
        if (flags === 'w') change(node, { length: 0 })
        return toFile(node, path)
      }),
    rename: (from, to) =>
      call('rename', from, () => {
        nodes.set(to, existing(from))
        nodes.delete(from)
      }),
    remove: (path) =>
      call('remove', path, () => {
        existing(path)
        nodes.delete(path)
      }),
    syncDir: (dir) =>
      call('syncDir', dir, () => {
        durableNames = new Map(nodes)
      }),
    owner: async () => `boot ${boot}`,
    isRunning: async (owner) => owner === `boot ${boot}` && !off,

    crash(random) {
      off = true
      // The journal of names is kept whole or not at all; the data of each file is kept write by write and sector by sector.
      const names = random() < 0.5 ? nodes : durableNames
      const kept = new Map<string, Node>()
      for (const [path, node] of names) {
        const content = node.unsynced.reduce<Buffer>((disk, done) => tear(disk, done, random), node.durable)
        kept.set(path, { content, durable: content, unsynced: [] })
      }
      return createMemoryFs(kept)
    },
    copy() {
      return createMemoryFs(new Map([...nodes].filter(([path]) => !path.includes('/lock.')).map(([path, node]) => [path, { ...node }])))
    },
    get files() {
      return new Map([...nodes].map(([path, { content }]) => [path, content]))
    },
    overwrite(path, position, bytes) {
      const node = existing(path)
      node.content = apply(node.content, { position, bytes })
      node.durable = apply(node.durable, { position, bytes })
    },
  }
  return fs
}

function apply(content: Buffer, done: Change): Buffer {
  if ('length' in done) {
    const resized = Buffer.alloc(done.length)
    content.copy(resized)
    return resized
  }
  const grown = Buffer.alloc(Math.max(content.length, done.position + done.bytes.length))
  content.copy(grown)
  grown.set(done.bytes, done.position)
  return grown
}

/** What an unsynced change left on the disk: all, nothing, or some of its sectors, each whole. */
function tear(disk: Buffer, done: Change, random: () => number): Buffer {
  const luck = random()
  if (luck < 0.25) return disk
  if (luck < 0.5 || 'length' in done) return apply(disk, done)
  let torn = disk
  for (let at = 0; at < done.bytes.length; ) {
    const end = Math.min(done.bytes.length, at + sectorBytes - ((done.position + at) % sectorBytes))
    if (random() < 0.5) torn = apply(torn, { position: done.position + at, bytes: done.bytes.subarray(at, end) })
    at = end
  }
  return torn
}

// TCP segments of closed connections as the Linux kernel counted them: `ss --events` prints a socket's last figures when it goes.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import type { Clock } from '../../lib/clock.ts'
import type { Bytes } from '../wire.ts'

/** Of the devices' ends of connections to one port. */
export interface Segments {
  readonly connections: number
  /** Headers of every segment, SYN, FIN and bare acknowledgements among them. */
  readonly headers: Bytes
  readonly segments: Bytes
  readonly retransmitted: number
}

export interface Kernel {
  /** Of the connections that have closed. */
  segments(): Segments
  /** Of those that stand. */
  live(): Promise<Segments>
  /** Resolves when so many connections have been told, or after two seconds. */
  told(connections: number): Promise<void>
  stop(): void
}

/** IPv4 20, TCP 20, timestamps and padding 12; a SYN has 8 more for the largest segment, window scale and selective acknowledgements. */
export const segmentHeader = 52
const synExtra = 8

/** Undefined where there is no `ss` that tells events: not Linux, no iproute2, not allowed. */
export async function watchKernel(port: number, clock: Clock): Promise<Kernel | undefined> {
  const probe = createServer((socket) =>
    socket
      .on('error', () => undefined)
      .resume()
      .once('end', () => socket.end()),
  )
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const probePort = (probe.address() as { readonly port: number }).port
  const filter = `( dport = :${port} or dport = :${probePort} )`
  // A pipe is buffered by the block, and nothing would be heard before the end.
  const child = spawn('stdbuf', ['-oL', 'ss', '-tinEHO', filter], { stdio: ['ignore', 'pipe', 'ignore'] })
  const closed: string[] = []
  let isReady = false
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.includes(`:${probePort} `)) isReady = true
    if (line.includes(`:${port} `)) closed.push(line)
  })
  const isWorking = await answers(child, probePort, () => isReady, clock)
  probe.close()
  if (!isWorking) {
    child.kill()
    return undefined
  }
  return {
    segments: () => add(closed),
    async live() {
      const { stdout } = await promisify(execFile)('ss', ['-tinHO', 'state', 'established', `dport = :${port}`])
      return add(stdout.split('\n').filter((line) => line.includes(`:${port} `)))
    },
    async told(connections) {
      for (let waitedMs = 0; closed.length < connections && waitedMs < 2_000; waitedMs += 20) await clock.sleep(20)
    },
    stop: () => void child.kill(),
  }
}

function add(lines: readonly string[]): Segments {
  const sum = (name: string) => lines.reduce((total, line) => total + figure(line, name), 0)
  const segments = { up: sum('segs_out'), down: sum('segs_in') }
  const headers = (of: number) => of * segmentHeader + lines.length * synExtra
  return {
    connections: lines.length,
    segments,
    headers: { up: headers(segments.up), down: headers(segments.down) },
    retransmitted: sum('bytes_retrans'),
  }
}

const figure = (line: string, name: string) => Number(new RegExp(`\\b${name}:(\\d+)`).exec(line)?.[1] ?? 0)

/** Nothing says that `ss` has begun to listen, so connections are made and closed until it tells of one. */
async function answers(child: ChildProcess, port: number, isReady: () => boolean, clock: Clock): Promise<boolean> {
  let isGone = false
  const gone = () => {
    isGone = true
  }
  child.once('error', gone).once('exit', gone)
  for (let waitedMs = 0; !isReady() && !isGone && waitedMs < 2_000; waitedMs += 50) {
    await new Promise<void>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.end()).once('close', () => resolve())
      socket.on('error', () => undefined).resume()
    })
    await clock.sleep(50)
  }
  return isReady()
}

// A real broker of somebody else: mosquitto as a child process on a free port, with its store on disk, and TLS where a test asks for it.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { aDirectory, hasProgram } from './program.ts'

export const hasMosquitto = hasProgram('mosquitto')

export interface Mosquitto {
  readonly port: number
  /** Its log so far: errors, warnings and notices.. */
  readonly log: string
  /** Ends with SIGTERM, which saves sessions and messages, and starts again on the same port. */
  restart(): Promise<void>
  /** The same without what it had saved. */
  forget(): Promise<void>
  stop(): Promise<void>
}

export interface MosquittoOptions {
  /** Folder of `weir certs mint`: clients must have a certificate from its CA. */
  readonly certs?: string
  /** Further lines of mosquitto.conf. */
  readonly config?: readonly string[]
}

export async function aMosquitto({ certs, config = [] }: MosquittoOptions = {}): Promise<Mosquitto> {
  const dir = aDirectory()
  const port = await freePort()
  mkdirSync(join(dir, 'store'))
  const tls = certs
    ? [`cafile ${certs}/ca.pem`, `certfile ${certs}/server.pem`, `keyfile ${certs}/server.key`, 'require_certificate true']
    : []
  const lines = [
    ...[`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'persistence true', `persistence_location ${dir}/store/`],
    // What a broker of telemetry needs: by default 1,000 messages wait for a session that is away, and the rest is dropped.
    ...['max_queued_messages 0', 'max_queued_bytes 0', 'log_type error', 'log_type warning', 'log_type notice', 'log_dest stderr'],
    ...(process.getuid?.() === 0 ? ['user root'] : []),
    ...[...tls, ...config],
  ]
  writeFileSync(join(dir, 'mosquitto.conf'), `${lines.join('\n')}\n`)
  let log = ''
  let child: ChildProcess
  const start = async () => {
    child = spawn('mosquitto', ['-c', join(dir, 'mosquitto.conf')], { stdio: ['ignore', 'ignore', 'pipe'] })
    child.stderr!.on('data', (chunk) => {
      log += chunk
    })
    await answers(port, child, () => log)
  }
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await ended
  }
  await start()
  onTestFinished(stop)
  return {
    port,
    get log() {
      return log
    },
    async restart() {
      await stop()
      await start()
    },
    async forget() {
      await stop()
      rmSync(join(dir, 'store/mosquitto.db'), { force: true })
      await start()
    },
    stop,
  }
}

/** Free when it was asked for; mosquitto cannot be told to choose. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function answers(port: number, child: ChildProcess, log: () => string): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`mosquitto ended: ${log()}`)
    const open = await new Promise<boolean>((resolve) => {
      const socket = createConnection(port, '127.0.0.1')
      socket.once('connect', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => resolve(false))
    })
    if (open) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

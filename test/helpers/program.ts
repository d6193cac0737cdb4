// The real program in a real process: started, waited for, and stopped when the test ends.
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

const weirTs = fileURLToPath(new URL('../../bin/weir.ts', import.meta.url))

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  /** Resolves with the first line of stdout that contains `text`, one already printed included. */
  line(text: string): Promise<string>
  readonly finished: Promise<Finished>
}

export function startWeir(args: readonly string[], options: SpawnOptions = {}): Running {
  const running = spawnWeir(args, options)
  onTestFinished(() => {
    running.child.kill('SIGKILL')
  })
  return running
}

/** A command that ends by itself; killed when it does not. */
export function runWeir(args: readonly string[]): Promise<Finished> {
  return spawnWeir(args, { timeout: 50_000, killSignal: 'SIGKILL' }).finished
}

function spawnWeir(args: readonly string[], options: SpawnOptions = {}): Running {
  const child = spawn(process.execPath, [weirTs, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
  })
  const lines: string[] = []
  const waiting = new Set<() => void>()
  let stderr = ''
  createInterface({ input: child.stdout! }).on('line', (line) => {
    lines.push(line)
    for (const check of waiting) check()
  })
  child.stderr!.on('data', (chunk) => {
    stderr += chunk
  })
  const finished = new Promise<Finished>((resolve) => child.once('close', (code) => resolve({ code, stdout: lines.join('\n'), stderr })))
  return {
    child,
    finished,
    line(text) {
      const found = Promise.withResolvers<string>()
      const check = () => {
        const line = lines.find((line) => line.includes(text))
        if (line !== undefined) found.resolve(line)
      }
      waiting.add(check)
      check()
      finished.then(({ stderr }) => found.reject(new Error(`ended without "${text}": ${stderr}`)))
      return found.promise
    },
  }
}

const portFlags = ['--mqtt-port', '--mqtt-ws-port', '--http-port', '--websocket-port', '--admin-port', '--aws-port']

export const anyPorts: readonly string[] = portFlags.flatMap((flag) => [flag, '0'])

/** A gateway process that is ready, and its ports. It is killed when the test ends. */
export async function aGatewayProcess(args: readonly string[] = [], options: SpawnOptions = {}): Promise<GatewayProcess> {
  const place = args.includes('--data-dir') ? [] : ['--data-dir', aDirectory()]
  return whenReady(startWeir(['gateway', ...anyPorts, ...place, ...args], options))
}

/** The same for the tests of a whole file: whoever starts it kills it, and names the data directory. */
export function spawnGateway(args: readonly string[]): Promise<GatewayProcess> {
  return whenReady(spawnWeir(['gateway', ...anyPorts, ...args], {}))
}

export interface GatewayProcess extends Running {
  readonly ports: Readonly<Record<string, number>>
}

async function whenReady(running: Running): Promise<GatewayProcess> {
  const ready = JSON.parse(await running.line('gateway.ready'))
  return { ...running, ports: ready.ports }
}

/** What the admin port of a gateway answers. */
// biome-ignore lint/suspicious/noExplicitAny: whatever it answers
export async function ask(admin: number, path: string): Promise<any> {
  return (await fetch(`http://127.0.0.1:${admin}${path}`)).json()
}

/** Asks until the answer fits. The timeout of the test is the limit. */
// biome-ignore lint/suspicious/noExplicitAny: whatever it answers
export async function askUntil(admin: number, path: string, fits: (answer: any) => boolean): Promise<any> {
  for (;;) {
    const answer = await ask(admin, path)
    if (fits(answer)) return answer
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** The full length of a proof takes minutes; CI runs a shorter one of the same kind. WEIR_LONG=1 asks for the long one. */
export const long = process.env.WEIR_LONG === '1'

export function aDirectory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'weir-test-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** true when the program is installed. In CI it must be: a test that skips there would skip unseen. */
export function hasProgram(name: string): boolean {
  const found = spawnSync('sh', ['-c', `command -v ${name}`]).status === 0
  if (!found && process.env.CI) throw new Error(`${name} is not installed, and in CI no test skips`)
  return found
}

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

export function startWeir(args: readonly string[]): Running {
  const running = spawnWeir(args)
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
  const child = spawn(process.execPath, [weirTs, ...args], { stdio: ['ignore', 'pipe', 'pipe'], ...options })
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

/** A gateway process that is ready, and its ports. */
export async function aGatewayProcess(
  args: readonly string[] = [],
): Promise<Running & { readonly ports: Readonly<Record<string, number>> }> {
  const running = startWeir(['gateway', ...anyPorts, '--data-dir', aDirectory(), ...args])
  const ready = JSON.parse(await running.line('gateway.ready'))
  return { ...running, ports: ready.ports }
}

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

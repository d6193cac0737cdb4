// What the programs leave on disk is for their own user, whatever the umask says.
import { spawn } from 'node:child_process'
import { chmodSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { connectAsync } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { aDirectory } from '../helpers/program.ts'

/** Runs `weir` with a umask that takes nothing away. */
function weir(...args: readonly string[]) {
  const child = spawn('sh', ['-c', 'umask 0; exec "$0" "$@"', process.execPath, 'bin/weir.ts', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const log: string[] = []
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => log.push(line))
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const ready = async () => {
    await expect.poll(() => log.find((line) => line.includes('"gateway.ready"')), { timeout: 40_000 }).toBeDefined()
    return JSON.parse(log.find((line) => line.includes('"gateway.ready"'))!).ports as { readonly mqtt: number }
  }
  return { child, log, ended, ready }
}

function modesIn(dir: string): readonly string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' }).map((name) => {
    const entry = lstatSync(join(dir, name))
    return `${entry.isDirectory() ? 'directory' : 'file'} ${(entry.mode & 0o777).toString(8)}`
  })
}

const anyPorts = ['mqtt', 'mqtt-ws', 'http', 'websocket', 'admin', 'aws'].flatMap((name) => [`--${name}-port`, '0'])

async function runGateway(dir: string): Promise<readonly string[]> {
  const config = join(dir, '..', 'gateway.json')
  writeFileSync(config, JSON.stringify({ dataDir: dir, local: { persist: true } }))
  const gateway = weir('gateway', '--config', config, ...anyPorts)
  const { mqtt } = await gateway.ready()
  const device = await connectAsync(`mqtt://127.0.0.1:${mqtt}`, { clientId: 'f-1', clean: false, reconnectPeriod: 0 })
  await device.subscribeAsync('a/#', { qos: 1 })
  await device.publishAsync('dt/coldchain/acme/site/f-1/telemetry', '{"temperature":1}', { qos: 1, retain: true })
  await device.endAsync()
  gateway.child.kill('SIGTERM')
  expect(await gateway.ended).toBe(0)
  return gateway.log
}

test('a gateway writes private files and directories, and makes files private that were open to others', async () => {
  const dir = join(aDirectory(), 'made', 'data')
  mkdirSync(join(dir, '..'), { recursive: true })
  const first = await runGateway(dir)
  expect(first.join('\n')).not.toContain('data.exposed')
  expect((lstatSync(dir).mode & 0o777).toString(8)).toBe('700')
  expect(new Set(modesIn(dir))).toEqual(new Set(['directory 700', 'file 600']))

  chmodSync(dir, 0o755)
  for (const name of readdirSync(dir, { recursive: true, encoding: 'utf8' }))
    chmodSync(join(dir, name), lstatSync(join(dir, name)).isDirectory() ? 0o755 : 0o644)
  const second = await runGateway(dir)
  expect(modesIn(dir).filter((mode) => mode.startsWith('file') && mode !== 'file 600')).toEqual([])
  const warnings = second.filter((line) => line.includes('data.exposed'))
  expect(warnings).toHaveLength(1)
  for (const name of ['spool', 'sessions', 'local']) expect(warnings[0]).toContain(join(dir, name))
})

test('certificates, keys and recordings are private', async () => {
  const dir = aDirectory()
  mkdirSync(join(dir, 'out'), { mode: 0o700 })
  const mint = weir('certs', 'mint', '--devices', '1', '--out', join(dir, 'out', 'certs'))
  expect(await mint.ended).toBe(0)
  expect(new Set(modesIn(join(dir, 'out')))).toEqual(new Set(['directory 700', 'file 600']))
})

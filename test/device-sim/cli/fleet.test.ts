import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { withFlags } from '../../../device-sim/cli/fleet.ts'
import { startBroker } from '../../helpers/device-doors.ts'

let folder: string
let program: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-fleet-'))
  program = join(folder, 'weir.ts')
  const command = new URL('../../../device-sim/cli/fleet.ts', import.meta.url).href
  await writeFile(program, `import { fleetCommand } from '${command}'\nawait fleetCommand().parseAsync()\n`)
})
afterAll(() => rm(folder, { recursive: true }))

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const weir = (args: readonly string[], onStart?: (kill: () => void) => void) =>
  new Promise<Ended>((resolve) => {
    const child = execFile(process.execPath, [program, ...args], (_, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    )
    onStart?.(() => child.kill('SIGINT'))
  })

test('--json is one document on stdout, exit code 0', async () => {
  await using broker = await startBroker()
  const { code, stdout } = await weir([
    '--devices',
    '20',
    '--rate',
    '10/s',
    '--duration',
    '500ms',
    '--seed',
    '7',
    '--target',
    broker.url,
    '--json',
  ])
  const report = JSON.parse(stdout)
  expect(code).toBe(0)
  expect(report).toMatchObject({
    devices: 20,
    connected: 20,
    sent: broker.published.length,
    failed: 0,
    dropped: 0,
    seed: 7,
    protocol: 'mqtt',
    thresholds: [],
  })
  for (const key of ['bytesSent', 'bytesReceived', 'elapsedMs']) expect(report[key]).toBeGreaterThan(0)
  for (const key of ['ackMs', 'connectMs']) expect(Object.keys(report[key])).toEqual(expect.arrayContaining(['p50', 'p95', 'p99', 'max']))
})

test('a table without --json; a missed threshold is exit code 3', async () => {
  await using broker = await startBroker()
  const { code, stdout } = await weir([
    '--devices',
    '5',
    '--interval',
    '50ms',
    '--count',
    '2',
    '--target',
    broker.url,
    '--threshold',
    'sent > 1000',
    '--threshold',
    'failed == 0',
  ])
  expect(code).toBe(3)
  expect(stdout).toMatch(/^acked +1\d$/m)
  expect(stdout).toMatch(/^MISSED +sent > 1000 \(1\d\)$/m)
  expect(stdout).toMatch(/^passed +failed == 0 \(0\)$/m)
})

test('two fleets with the same client ids: each says so once, and in its report; with names of their own they do not meet', async () => {
  await using broker = await startBroker()
  const fleet = (...more: readonly string[]) =>
    weir(['--devices', '3', '--interval', '100ms', '--duration', '4s', '--target', broker.url, '--json', ...more])
  for (const { stdout, stderr } of await Promise.all([fleet(), fleet()])) {
    expect(JSON.parse(stdout).shortLived).toBeGreaterThan(1)
    expect(stderr.match(/connections were ended within 5 s, .*--first-device or --prefix/g)).toHaveLength(1)
  }
  for (const { code, stdout, stderr } of await Promise.all([fleet(), fleet('--first-device', '3'), fleet('--prefix', 'b-')])) {
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ shortLived: 0, takenOver: 0, reconnects: 0 })
    expect(stderr).not.toContain('--prefix')
  }
}, 40_000)

test('Ctrl-C ends the run in good order', async () => {
  await using broker = await startBroker()
  const { code, stdout } = await weir(['--devices', '5', '--interval', '50ms', '--target', broker.url, '--json'], (kill) =>
    broker.aedes.once('publish', () => setImmediate(kill)),
  )
  const { sent, acked, failed } = JSON.parse(stdout)
  expect([code, failed]).toEqual([0, 0])
  expect(acked).toBe(sent)
})

test.each([
  [['--target', 'mqtt://127.0.0.1:1'], 1, 'cannot connect freezer-00000 to mqtt://127.0.0.1:1: nothing listens there\n'],
  [['--devices', 'many'], 2, '--devices is "many"; expected a whole number\n'],
  [['--rate', '5'], 2, '--rate is "5"; expected readings of each device such as 1/s or 6/m\n'],
  [['--target', 'nowhere'], 2, 'scenario: target: expected a URL such as mqtt://127.0.0.1:1883\n'],
  [['--target', 'gopher://x'], 2, 'scenario: target: the mqtt driver cannot reach a gopher:// address; expected mqtt:// or tcp://\n'],
  [['--speed', 'fast'], 2, '--speed is "fast"; expected a factor such as 10x\n'],
  [['/nowhere.json'], 2, '/nowhere.json: cannot be read (ENOENT)\n'],
])('%j: one sentence and exit code %i', async (args, code, sentence) => {
  expect(await weir(args)).toEqual({ code, stdout: '', stderr: sentence })
})

test('an unknown flag is wrong usage', async () => {
  const { code, stderr } = await weir(['--devicess', '5'])
  expect(code).toBe(2)
  expect(stderr).toContain('Did you mean --devices?')
})

test('a flag wins over the file, for every population', () => {
  const file = { devices: 5, thresholds: ['failed == 0'], populations: [{ model: 'freezer' }, { model: 'meter', interval: '1m' }] }
  expect(withFlags(file, { devices: '7', rate: '2/s', threshold: ['sent > 1'], target: 'mqtts://h' })).toEqual({
    devices: 7,
    protocol: 'mqtts',
    target: 'mqtts://h',
    thresholds: ['failed == 0', 'sent > 1'],
    populations: [
      { model: 'freezer', interval: '500ms' },
      { model: 'meter', interval: '500ms' },
    ],
  })
})

// The disk fills up: what cannot be written is refused with a reason and stays with its device, nothing crashes, and space heals it.
import { spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { aDevice } from '../helpers/mqtt-client.ts'
import { startNumberedDevices } from '../helpers/numbered-devices.ts'
import { aDirectory, aGatewayProcess, anyPorts, askUntil, runWeir } from '../helpers/program.ts'
import { anSqs, receiveAll } from '../helpers/sqs.ts'
import { aTcpProxy } from '../helpers/tcp-proxy.ts'

const run = (command: string, ...args: string[]) => spawnSync(command, args).status === 0

/** A disk of 16 MiB, until the test ends; undefined where this process may not mount one. */
function aSmallDisk(options = ''): string | undefined {
  const dir = aDirectory()
  if (!run('mount', '-t', 'tmpfs', '-o', `size=16m${options}`, 'tmpfs', dir)) return undefined
  onTestFinished(() => void run('umount', '-l', dir))
  return dir
}

/** Writes until there is no space left. */
function fill(path: string): void {
  const file = openSync(path, 'w')
  try {
    for (let bytes = 65_536; bytes >= 1; bytes = bytes > 1 ? bytes / 16 : 0) {
      try {
        for (;;) writeSync(file, Buffer.alloc(bytes))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      }
    }
  } finally {
    closeSync(file)
  }
}

vi.setConfig({ testTimeout: 120_000 })

test('a disk that fills up: refusals with a code, no crash, a start on the full disk, and recovery', async ({ skip }) => {
  const disk = aSmallDisk() ?? skip('mounting a small disk takes root')
  const dir = join(disk, 'data')
  mkdirSync(dir)
  const sqs = await anSqs()
  const proxy = await aTcpProxy(sqs.port)
  const flags = ['--data-dir', dir, '--aws-endpoint', `http://127.0.0.1:${proxy.port}`]
  let gateway = await aGatewayProcess(flags)
  const { mqtt } = gateway.ports
  const devices = startNumberedDevices({ port: mqtt!, devices: 20, rate: 20, seed: 7 })
  await devices.reached(200)

  await proxy.cut()
  fill(join(disk, 'ballast'))
  await askUntil(gateway.ports.admin!, '/healthz', ({ reasons }) => reasons.includes('SPOOL_FAILED'))
  const refused = await askUntil(gateway.ports.admin!, '/api/ledger', (ledger) => ledger.refused.SPOOL_FAILED > 20)
  expect(refused).toMatchObject({ dead: 0, balanced: true })
  expect(refused.queued).toBeGreaterThan(0)
  expect(JSON.parse(await gateway.line('message.refused'))).toMatchObject({ level: 'warn', code: 'SPOOL_FAILED' })

  // Killed with the disk still full, it starts again: what it holds must come out for there to be space.
  gateway.child.kill('SIGKILL')
  await gateway.finished
  gateway = await aGatewayProcess([...flags, '--mqtt-port', String(mqtt)])
  const admin = gateway.ports.admin!
  expect(JSON.parse(await gateway.line('message.recovered')).count).toBeGreaterThanOrEqual(refused.queued)

  rmSync(join(disk, 'ballast'))
  await proxy.mend()
  await devices.reached(devices.acked.size + 200)
  await askUntil(admin, '/healthz', ({ status }) => status === 'ok')
  await devices.stop()
  await askUntil(admin, '/api/ledger', ({ queued }) => queued === 0)
  gateway.child.kill('SIGTERM')
  expect(JSON.parse(await gateway.line('gateway.stopped'))).toMatchObject({ queued: 0, dead: 0, balanced: true })
  expect((await gateway.finished).code).toBe(0)

  const seen = (await receiveAll(sqs.port, 'telemetry')).map(({ body }) => JSON.parse(body))
  const present = new Set(seen.map(({ device, seq }) => `${device}:${seq}`))
  expect([...devices.acked].filter((reading) => !present.has(reading))).toEqual([])
})

test('a spool at its own limit: SPOOL_FULL, and room again when the queue is back', async () => {
  const dir = aDirectory()
  const config = join(dir, 'gateway.json')
  writeFileSync(config, JSON.stringify({ spool: { kind: 'file', maxBytes: 400_000 } }))
  const sqs = await anSqs()
  const proxy = await aTcpProxy(sqs.port)
  const gateway = await aGatewayProcess(['--config', config, '--aws-endpoint', `http://127.0.0.1:${proxy.port}`])
  const admin = gateway.ports.admin!
  await proxy.cut()
  const devices = startNumberedDevices({ port: gateway.ports.mqtt!, devices: 20, rate: 50, seed: 7 })
  const full = await askUntil(admin, '/api/ledger', (ledger) => ledger.refused.SPOOL_FULL > 20)
  expect(full).toMatchObject({ dead: 0, delivered: 0, balanced: true })
  expect((await askUntil(admin, '/healthz', () => true)).reasons).toContain('SPOOL_FULL')
  // QoS 0 was the first to go; its sender stays connected.
  const hasty = await aDevice(gateway.ports.mqtt!, { clientId: 'hasty' })
  await hasty.publishAsync('dt/coldchain/acme/truck-7/hasty/telemetry', '{}', { qos: 0 })
  expect(await askUntil(admin, '/api/ledger', ({ shed }) => shed.SPOOL_FULL > 0)).toMatchObject({ balanced: true })
  expect(hasty.connected).toBe(true)
  await hasty.endAsync()
  const before = devices.acked.size

  await proxy.mend()
  await devices.reached(before + 1_000)
  await devices.stop()
  await askUntil(admin, '/api/ledger', ({ queued }) => queued === 0)
  await askUntil(admin, '/healthz', ({ status }) => status === 'ok')
  // One line of the log for a burst of refusals, not one for each.
  gateway.child.kill('SIGTERM')
  const { stdout, code } = await gateway.finished
  expect(code).toBe(0)
  const ledger = JSON.parse(await gateway.line('gateway.stopped'))
  expect(ledger).toMatchObject({ accepted: devices.acked.size, queued: 0, balanced: true })
  const lines = stdout.split('\n').filter((line) => line.includes('"message.refused"'))
  expect(lines.length).toBeGreaterThan(0)
  expect(lines.length).toBeLessThan(ledger.refused.SPOOL_FULL / 2)
  expect(await receiveAll(sqs.port, 'telemetry')).toHaveLength(devices.acked.size)
})

test('a data directory that cannot be written is told with its path', async ({ skip }) => {
  const disk = aSmallDisk(',ro') ?? skip('mounting a read-only disk takes root')
  const { code, stdout, stderr } = await runWeir(['gateway', ...anyPorts, '--data-dir', disk])
  expect(stderr).toMatch(new RegExp(`^weir: the spool directory ${join(disk, 'spool')} cannot be used: EROFS.*\n$`))
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
})

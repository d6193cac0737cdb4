// `weir cost` with a gateway, a fleet and real TLS: what it measures, prints and keeps.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readRun } from '../../cost/measurement.ts'
import { isBalanced } from '../../cost/report/measured.ts'
import { aDirectory, startWeir } from '../helpers/program.ts'

const transports = ['mqtt', 'mqtt-ws', 'https', 'websocket', 'reconnect-per-message', 'https-per-message']

test('alone: a measured run of every transport, one table for 10,000 devices and the crossovers', { timeout: 120_000 }, async () => {
  const { code, stdout, stderr } = await startWeir(['cost']).finished
  expect(code, stderr).toBe(0)
  for (const name of transports) expect(stdout).toMatch(new RegExp(`^${name} +100 `, 'm'))
  expect(stdout).toContain('the ledger balances for each')
  expect(stdout).toMatch(/^10,000 devices, 200 bytes every 1 min, QoS 1, us-east-1, prices of 2026-11-23; bytes on the wire are measured$/m)
  expect(stdout).toMatch(/iot-mqtt up to [\d.]+ s, then api-http-sqs/)
  expect(stderr).toMatch(/^measuring mqtt \(step 1 of 14, .*\)$/m)
  expect(stderr).toMatch(/^14 steps in /m)
  expect(stderr).not.toContain('\u001b')
})

test('cost run keeps a run that every report can be made of again', { timeout: 90_000 }, async () => {
  const dir = aDirectory()
  const [out, html, again] = ['run.json', 'report.html', 'again.html'].map((name) => join(dir, name))
  const flags = ['--devices', '3', '--duration', '600ms', '--payload', '6000', '--transports', 'https,mqtt']
  const ran = await startWeir(['cost', 'run', ...flags, '--out', out!, '--html', html!, '--json']).finished
  expect(ran.code, ran.stderr).toBe(0)
  const { transports, seed } = await readRun(out!)
  expect([seed, transports.map(({ transport }) => transport)]).toEqual([7, ['mqtt', 'https']])
  for (const { messages, ledger, fleet, billed, message } of transports) {
    expect(isBalanced(ledger, messages)).toBe(true)
    expect([fleet.acked, messages > 0]).toEqual([messages, true])
    expect(Math.round(message.payloadBytes / 10)).toBe(600)
    // More than 5 KB: each message is two, and so are its rule and its action.
    expect(billed[0]!.usage).toMatchObject({ 'iotCore.rulesTriggered': 2 * messages, 'iotCore.actionsExecuted': 2 * messages })
  }
  expect(transports[1]!.billed[0]!.usage['iotCore.messages']).toBe(2 * transports[1]!.messages)
  const report = await startWeir(['cost', 'report', '--from', out!, '--html', again!]).finished
  expect(report.code, report.stderr).toBe(0)
  expect(await readFile(again!, 'utf8')).toBe(await readFile(html!, 'utf8'))
})

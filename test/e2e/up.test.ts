// The demo, as a newcomer starts it.
import { expect, test } from 'vitest'
import { aDirectory, anyPorts, runWeir, startWeir } from '../helpers/program.ts'

test('weir up: the fleet flows to its consumers, the ledger balances, nothing is lost', async () => {
  const { code, stdout, stderr } = await runWeir(['up', '--duration', '8s', '--seed', '7', ...anyPorts, '--data-dir', aDirectory()])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/MQTT {2,}mqtt:\/\/127\.0\.0\.1:\d+/)
  expect(stdout).toMatch(/in\/s +routed\/s +queued +consumed\/s +alerts +dead +ack p99/)
  expect(stdout).toMatch(/^ALERT {2}warm_freezer/m)
  expect(stdout).toMatch(/accepted [\d,]+ \+ split 0 = delivered [\d,]+ \+ unmatched 0 \+ dead 0 \+ queued 0 \+ lost 0/)
  expect(stdout).toMatch(/^0 lost$/m)
})

test('weir up --json ends with one document whose numbers agree from the device to the consumer', async () => {
  const { code, stdout } = await runWeir(['up', '--duration', '4s', '--json', ...anyPorts, '--data-dir', aDirectory()])
  const { ledger, fleet, delivered, consumed, lost } = JSON.parse(stdout)
  expect(code).toBe(0)
  expect(ledger).toMatchObject({ accepted: fleet.acked, delivered: fleet.acked, queued: 0, balanced: true })
  expect({ consumed, lost }).toEqual({ consumed: delivered, lost: 0 })
})

test('Ctrl-C drains and prints the ledger', async () => {
  const { child, line, finished } = startWeir(['up', ...anyPorts, '--data-dir', aDirectory()])
  await line('in/s')
  child.kill('SIGINT')
  const { code, stdout } = await finished
  expect(code).toBe(0)
  expect(stdout).toContain('0 lost')
})

// `weir up --template`: CloudFormation templates run on this machine, our own and somebody else's.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { aDirectory, anyPorts, runWeir } from '../helpers/program.ts'

// As `npm run synth` writes it, but for the names of code files: test/infra/app.test.ts holds the two together.
const own = 'test/golden/infra/Weir.template.json'
const foreign = 'examples/template/smart-meters.json'
const secure = ['--mqtts-port', '--mqtt-wss-port', '--https-port'].flatMap((flag) => [flag, '0'])

const up = (...args: readonly string[]) => runWeir(['up', ...anyPorts, ...secure, '--data-dir', aDirectory(), ...args])

test('the own stack carries the demo fleet, under its own IoT policies, and its ledger balances', async () => {
  const { code, stdout, stderr } = await up('--template', own, '--strict', '--duration', '4s', '--seed', '7', '--json')
  expect(code).toBe(0)
  expect(stderr).toContain('rule telemetry')
  expect(stderr).toContain('policy Weir-device')
  expect(stderr).not.toContain('not supported')
  const { ledger, fleet, delivered, consumed, queues, lost } = JSON.parse(stdout)
  expect(fleet).toMatchObject({ devices: 60, failed: 0, dropped: 0 })
  expect(ledger).toMatchObject({ accepted: fleet.acked, delivered: fleet.acked, unmatched: 0, dead: 0, queued: 0, balanced: true })
  expect(fleet.acked).toBeGreaterThan(60)
  expect({ consumed, lost }).toEqual({ consumed: delivered, lost: 0 })
  expect(queues.telemetry).toBeGreaterThan(0)
  expect(queues['door-events.fifo']).toBeGreaterThan(0)
})

test("somebody else's template runs with a fleet that speaks to it; what is missing is named", async () => {
  const { code, stdout, stderr } = await up(
    '--template',
    foreign,
    '--scenario',
    foreign.replace('.json', '.fleet.json'),
    '--duration',
    '4s',
    '--seed',
    '7',
    '--json',
  )
  expect(code).toBe(0)
  for (const text of ['queue dev-readings', 'topic dev-high-power', 'rule dev_high_power', 'rule ReadingsRule', 'policy dev-meter'])
    expect(stderr).toContain(text)
  for (const text of ['Firehose', 'email', 'AWS::Serverless::Function', 'MaximumMessageSize']) expect(stderr).toContain(text)
  const { ledger, fleet, queues, lost } = JSON.parse(stdout)
  expect(ledger).toMatchObject({ balanced: true, dead: 0, queued: 0 })
  expect(queues['dev-readings']).toBe(fleet.acked)
  // A high reading goes on to everybody and is republished; a very high one passes the filter too.
  expect(queues.Everything).toBe(ledger.accepted - fleet.acked)
  expect(queues.VeryHigh).toBeGreaterThan(0)
  expect(queues.VeryHigh).toBeLessThan(queues.Everything)
  expect(lost).toBe(0)
})

test("a device that the template's policy does not let publish is refused", async () => {
  const directory = aDirectory()
  const template = JSON.parse(readFileSync(foreign, 'utf8'))
  template.Resources.MeterPolicy.Properties.PolicyDocument.Statement.pop()
  const file = join(directory, 'no-publish.json')
  writeFileSync(file, JSON.stringify(template))
  const scenario = foreign.replace('.json', '.fleet.json')
  const { code, stdout, stderr } = await up('--template', file, '--scenario', scenario, '--duration', '2s', '--json')
  const { fleet, ledger } = JSON.parse(stdout)
  expect({ acked: fleet.acked, accepted: ledger.accepted }).toEqual({ acked: 0, accepted: 0 })
  expect(ledger.refused.NOT_AUTHORIZED).toBeGreaterThan(0)
  expect(code).toBe(1)
  expect(stderr.match(/^REFUSED {2}NOT_AUTHORIZED, \d+ so far: the connection may not do this; /gm)).toHaveLength(1)
  expect(stderr).toContain('not one reading was acknowledged')
})

test('--strict ends with everything that would be missing', async () => {
  const { code, stdout, stderr } = await up('--template', foreign, '--strict')
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr.trim().split('\n')).toHaveLength(4)
  expect(stderr).toContain('actions[1]: the action Firehose is not run here; Sqs, Sns, Republish, Http, CloudwatchLogs are')
})

test.each([
  ['Resources:\n  Q: {}\n', 'is not JSON; a YAML template must be converted first'],
  ['{"Parameters":{}}', 'not a CloudFormation template: Resources is missing; expected an object'],
  [
    '{"Resources":{"Q":{"Type":"AWS::SQS::Queue","Properties":{"QueueName":{"Ref":"Nmae"}}}}}',
    'Resources.Q.Properties.QueueName: "Nmae" is not a resource or a parameter of this template; it has Q',
  ],
])('%s', async (text, sentence) => {
  const file = join(aDirectory(), 'template.json')
  writeFileSync(file, text)
  const { code, stderr } = await up('--template', file)
  expect({ code, stderr }).toEqual({ code: 2, stderr: `weir: ${file}: ${sentence}\n` })
})

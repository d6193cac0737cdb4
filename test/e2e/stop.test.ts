// How commands end: with a sentence when they cannot start, and at the first signal in every phase.
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { aDirectory, anyPorts, runWeir, startWeir } from '../helpers/program.ts'

function aFile(name: string, content: unknown): string {
  const path = join(aDirectory(), name)
  writeFileSync(path, JSON.stringify(content))
  return path
}

/** Accepts connections and never answers; or closes each at once. */
async function aServer(isClosing = false) {
  const sockets = new Set<{ destroy(): void }>()
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    sockets.add(socket)
    if (isClosing) socket.destroy()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { server, port, at: (scheme: string) => `${scheme}://127.0.0.1:${port}` }
}

const publishOnly = {
  Resources: {
    Devices: {
      Type: 'AWS::IoT::Policy',
      Properties: {
        PolicyName: 'devices',
        PolicyDocument: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'iot:Publish', Resource: '*' }] },
      },
    },
  },
}

test.each([
  ['its listener is off', () => ['--mqtt-port', 'off', '--duration', '2s'], /the fleet did not start: .*--mqtt-port off/],
  ['no policy allows it to connect', () => ['--template', aFile('t.json', publishOnly)], /the fleet did not start: .*not authorized/],
  ['its scenario needs a queue', () => ['--scenario', aFile('s.json', { verify: 'queue' })], /the fleet did not start: verify: "queue"/],
] as const)('weir up ends with a sentence and code 1 when %s', async (_, flags, sentence) => {
  const { code, stderr } = await runWeir(['up', ...anyPorts, '--data-dir', aDirectory(), ...flags()])
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(sentence) })
  expect(stderr.trim()).not.toContain('\n')
})

test('weir fleet ends with a sentence and code 1 when the broker closes each connection', async () => {
  const { at } = await aServer(true)
  const { code, stderr } = await runWeir(['fleet', '--target', at('mqtt')])
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/^cannot connect freezer-00000 to mqtt:.*\n$/) })
})

const brokerPorts = [...anyPorts, '--mqtt-port', 'off', '--mqtt-ws-port', 'off']
const consumers = { consumers: [{ queue: 'q', handler: { kind: 'log' }, wait: '1s' }] }

test.each([
  ['fleet over MQTT', 'SIGINT', 130, ({ at }) => ['fleet', '--target', at('mqtt')]],
  ['fleet with a subscriber', 'SIGINT', 130, ({ at }) => ['fleet', '--target', at('mqtt'), '--verify', 'subscriber']],
  ['fleet that follows a queue', 'SIGINT', 130, ({ at }) => ['fleet', '--verify', 'queue', '--queue-url', `${at('http')}/1/q`]],
  ['fleet in two threads', 'SIGINT', 130, ({ at }) => ['fleet', '--target', at('mqtt'), '--workers', '2']],
  ['gateway without queues', 'SIGTERM', 0, ({ at }) => ['gateway', ...anyPorts, '--aws-endpoint', at('http'), '--data-dir', aDirectory()]],
  ['gateway without a broker', 'SIGINT', 0, ({ at }) => ['gateway', ...brokerPorts, '--broker', at('mqtt'), '--data-dir', aDirectory()]],
  ['up without queues', 'SIGTERM', 143, ({ at }) => ['up', ...anyPorts, '--aws-endpoint', at('http'), '--data-dir', aDirectory()]],
  ['consume', 'SIGTERM', 1, ({ at }) => ['consume', '--config', aFile('c.json', consumers), '--aws-endpoint', at('http')]],
  ['dlq ls', 'SIGINT', 130, ({ at }) => ['dlq', 'ls', '--aws-endpoint', at('http')]],
  ['fairness', 'SIGINT', 130, ({ at }) => ['fairness', '--aws-endpoint', at('http')]],
] as const satisfies readonly (readonly [
  string,
  NodeJS.Signals,
  number,
  (server: Awaited<ReturnType<typeof aServer>>) => readonly string[],
])[])('the first signal ends %s while it waits for a server that does not answer', async (_, signal, expected, args) => {
  const silent = await aServer()
  const connected = once(silent.server, 'connection')
  const { child, finished } = startWeir(args(silent))
  await connected
  child.kill(signal)
  const { code, stderr } = await finished
  expect({ code, stderr }).toEqual({ code: expected, stderr: expect.not.stringMatching(/^\s+at /m) })
})

// A gateway process whose devices have certificates: minted, expired, revoked and foreign ones, and a queue to look into.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { IClientOptions } from 'mqtt'
import { mintCertificates } from '../../device-sim/certs.ts'
import { hashSecret } from '../../gateway/access/secrets.ts'
import { aDirectory, aGatewayProcess } from './program.ts'

const account = '000000000000'
const on = (resource: string) => `arn:aws:iot:us-east-1:${account}:${resource}`

export const owners = { 'f-1': 'acme', 'f-2': 'globex', 'f-3': 'acme', 'f-revoked': 'acme' } as const
export const topicOf = (device: keyof typeof owners) => `dt/coldchain/${owners[device]}/s/${device}/telemetry`

/** f-1 and f-2 are what `weir certs mint` makes; f-3 may subscribe to everything, and receive its own; the token `ci` and the user `dev` too. */
export async function aCertifiedGateway(flags: readonly string[] = []) {
  const dir = aDirectory()
  const mint = (out: string, ids: readonly (keyof typeof owners)[], now = Date.now()) =>
    mintCertificates(
      ids.map((id) => ({ id, tenant: owners[id], site: 's' })),
      { out: join(dir, out), now, days: 1, hosts: ['localhost'], region: 'us-east-1', account, product: 'coldchain' },
    )
  const things = await mint('certs', Object.keys(owners) as (keyof typeof owners)[])
  await mint('foreign', ['f-1'])
  const [expired] = await mint('expired', ['f-1'], Date.now() - 10 * 86_400_000)

  const read = (path: string) => readFileSync(join(dir, path), 'utf8')
  // Who signed the expired certificate is trusted, so that nothing but its date is wrong with it.
  writeFileSync(join(dir, 'certs/ca.pem'), read('certs/ca.pem') + read('expired/ca.pem'))
  const registry = JSON.parse(read('certs/things.json'))
  registry.things[0].principals.push(expired!.certificateId)
  registry.things[2].policies = ['listener']
  registry.policies.listener = {
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Action: ['iot:Connect', 'iot:Subscribe'], Resource: '*' },
      { Effect: 'Allow', Action: ['iot:Receive', 'iot:Publish'], Resource: on('topic/*/coldchain/acme/*') },
    ],
  }
  registry.certificates = [{ certificateId: things.at(-1)!.certificateId, status: 'REVOKED' }]
  const login = { hash: await hashSecret('s3cret'), tenant: 'acme', policies: ['listener'] }
  Object.assign(registry, { tokens: [{ name: 'ci', ...login }], users: [{ name: 'dev', ...login }] })
  writeFileSync(join(dir, 'certs/things.json'), JSON.stringify(registry))

  mkdirSync(join(dir, 'rules'))
  const rule = {
    name: 'all',
    awsIotSqlVersion: '2016-03-23',
    sql: "SELECT *, topic() AS topic FROM 'dt/#'",
    actions: [{ sqs: { queueUrl: 'telemetry' } }],
  }
  writeFileSync(join(dir, 'rules/all.json'), JSON.stringify(rule))
  writeFileSync(join(dir, 'gateway.json'), JSON.stringify({ access: { anonymous: 'off', limits: { connectsPerClientPerSecond: 'off' } } }))
  const anyTlsPorts = ['mqtts', 'mqtt-wss', 'https', 'websockets'].flatMap((door) => [`--${door}-port`, '0'])
  const gateway = await aGatewayProcess([
    ...['--config', join(dir, 'gateway.json'), '--certs', join(dir, 'certs'), '--rules', join(dir, 'rules')],
    ...[...anyTlsPorts, ...flags],
  ])
  /** What TLS needs to be that device; a path such as `foreign/f-1` is one of another authority. */
  const tlsOf = (device?: string): IClientOptions & { readonly ca: string; readonly servername: string } => {
    const [folder, name] = device?.includes('/') ? device.split('/') : ['certs', device]
    const pair = name === undefined ? {} : { cert: read(`${folder}/devices/${name}.pem`), key: read(`${folder}/devices/${name}.key`) }
    return { ...pair, ca: read('certs/ca.pem'), servername: 'localhost' }
  }
  return { ...gateway, tlsOf, certs: join(dir, 'certs') }
}

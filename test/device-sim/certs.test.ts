import { X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadCertificates, mintCertificates, policyFor, type Thing } from '../../device-sim/certs.ts'

const options = {
  now: Date.UTC(2026, 0, 1),
  days: 30,
  hosts: ['localhost', '127.0.0.1', '::1'],
  region: 'us-east-1',
  account: '123456789012',
  product: 'coldchain',
}
let out: string
let things: readonly Thing[]

beforeAll(async () => {
  out = await mkdtemp(join(tmpdir(), 'weir-certs-'))
  things = await mintCertificates(
    ['d-1', 'd-2'].map((id) => ({ id, tenant: 'acme', site: 'site-1' })),
    { ...options, out },
  )
})
afterAll(() => rm(out, { recursive: true }))

const certificate = async (name: string) => new X509Certificate(await readFile(join(out, name)))

test('each device has a P-256 certificate of its own, signed by the root', async () => {
  const [ca, one, two] = [await certificate('ca.pem'), await certificate('devices/d-1.pem'), await certificate('devices/d-2.pem')]
  expect(ca.ca).toBe(true)
  expect(one.subject).toBe('CN=d-1')
  expect(one.verify(ca.publicKey)).toBe(true)
  expect(one.checkIssued(ca)).toBe(true)
  expect(one.ca).toBe(false)
  expect(one.publicKey.asymmetricKeyDetails).toMatchObject({ namedCurve: 'prime256v1' })
  expect(one.serialNumber).not.toBe(two.serialNumber)
  expect(one.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2'])
  expect(Date.parse(one.validTo)).toBe(options.now + 30 * 86_400_000)
})

test('the server certificate is good for the hosts asked for', async () => {
  const server = await certificate('server.pem')
  expect(server.checkHost('localhost')).toBe('localhost')
  expect(server.checkIP('127.0.0.1')).toBe('127.0.0.1')
  expect(server.checkIP('10.0.0.1')).toBeUndefined()
})

test('keys are for their owner only', async () => {
  expect((await stat(join(out, 'devices/d-1.key'))).mode & 0o777).toBe(0o600)
})

test('things.json is the registry, under the id AWS gives a certificate', async () => {
  expect(JSON.parse(await readFile(join(out, 'things.json'), 'utf8'))).toEqual({
    policies: { device: 'policy.json' },
    things: things.map(({ thingName, attributes, certificateId }) => ({
      thingName,
      attributes,
      tenant: attributes.tenant,
      principals: [certificateId],
      policies: ['device'],
    })),
  })
  const fingerprint = (await certificate('devices/d-1.pem')).fingerprint256.replaceAll(':', '').toLowerCase()
  expect(things[0]).toMatchObject({ thingName: 'd-1', attributes: { tenant: 'acme', site: 'site-1' }, certificateId: fingerprint })
})

test('the policy keeps a thing to its own topics', () => {
  expect(JSON.stringify(policyFor(options))).toContain('topic/dt/coldchain/${iot:Connection.Thing.Attributes[tenant]}')
})

test('a folder that was not minted, and a device that was not, are told in a sentence', async () => {
  await expect(loadCertificates('/nowhere')).rejects.toThrow(
    '/nowhere/ca.pem cannot be read: is this a folder that `weir certs mint` wrote?',
  )
  const { credentials } = await loadCertificates(out)
  await expect(credentials('d-3')).rejects.toThrow('at least as many devices')
})

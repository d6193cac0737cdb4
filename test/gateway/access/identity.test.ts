import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { readCertificate } from '../../../gateway/access/certificate.ts'
import { type Credentials, createIdentities, type Identity, type IdentityConfig } from '../../../gateway/access/identity.ts'
import { policyDocumentSchema } from '../../../gateway/access/policy-document.ts'
import { hashSecret } from '../../../gateway/access/secrets.ts'
import { createThings, thingsSchema } from '../../../gateway/access/things.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'

const pem = (name: string) => readFileSync(new URL(`../../cases/certificates/${name}.pem`, import.meta.url))
const idOf = (name: string) => readCertificate(pem(name)).id
const on = (kind: string, name: string) => `arn:aws:iot:us-east-1:123456789012:${kind}/${name}`

/** Each device may be only itself, and speak only below its own name. */
const device = policyDocumentSchema.parse({
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Action: 'iot:Connect',
      Resource: on('client', '${iot:Connection.Thing.ThingName}'),
      Condition: { Bool: { 'iot:Connection.Thing.IsAttached': 'true' } },
    },
    { Effect: 'Allow', Action: ['iot:Publish', 'iot:Receive'], Resource: on('topic', 'dt/${iot:Connection.Thing.ThingName}/*') },
    { Effect: 'Allow', Action: 'iot:Subscribe', Resource: on('topicfilter', 'dt/${iot:Connection.Thing.ThingName}/*') },
  ],
})

const hash = await hashSecret('s3cret', Buffer.alloc(16, 1))
const registry = (status: 'ACTIVE' | 'INACTIVE' | 'REVOKED' = 'ACTIVE') =>
  createThings(
    thingsSchema.parse({
      policies: { device: {} },
      certificates: [{ certificateId: idOf('freezer-1'), status }],
      things: [
        { thingName: 'freezer-1', principals: [idOf('freezer-1')], tenant: 'acme', policies: ['device'], attributes: { site: 'truck-7' } },
        { thingName: 'freezer-2', principals: [idOf('freezer-2'), 'dev'], tenant: 'globex', policies: ['device'] },
      ],
      users: [{ name: 'dev', hash }],
      tokens: [{ name: 'ci', hash, tenant: 'acme', policies: ['device'] }],
    }),
    { device },
  )

const clock = createManualClock(Date.UTC(2030, 0, 1))
const setUp = (anonymous: IdentityConfig['anonymous'] = 'loopback', things = registry()) => {
  const { identify } = createIdentities({ things: () => things, anonymous, clock })
  return (credentials: Partial<Credentials>) => identify({ loopback: false, ...credentials })
}

const may = ({ policies, context }: Identity, action: string, resource: string) =>
  policies.bind(context).decide(action, resource).decision === 'allow'

describe('by certificate', () => {
  test('a device is its thing, and its thing’s tenant', async () => {
    const identity = await setUp()({ certificate: pem('freezer-1'), clientId: 'freezer-1', sourceIp: '192.0.2.1' })
    expect(identity).toMatchObject({
      kind: 'certificate',
      principal: idOf('freezer-1'),
      tenant: 'acme',
      context: {
        clientId: 'freezer-1',
        sourceIp: '192.0.2.1',
        thing: { name: 'freezer-1', attachedToPrincipal: true, attributes: { site: 'truck-7' } },
        certificate: { CertificateId: idOf('freezer-1'), Subject: { CommonName: ['freezer-1'] } },
      },
    })
    expect(may(identity, 'iot:Connect', on('client', 'freezer-1'))).toBe(true)
    expect(may(identity, 'iot:Publish', on('topic', 'dt/freezer-1/telemetry'))).toBe(true)
  })

  test('device 1 cannot publish, subscribe or receive as device 2', async () => {
    const identity = await setUp()({ certificate: pem('freezer-1'), clientId: 'freezer-1' })
    expect(may(identity, 'iot:Publish', on('topic', 'dt/freezer-2/telemetry'))).toBe(false)
    expect(may(identity, 'iot:Receive', on('topic', 'dt/freezer-2/telemetry'))).toBe(false)
    for (const filter of ['dt/freezer-2/#', 'dt/+/telemetry', '#', 'dt/#']) {
      expect(may(identity, 'iot:Subscribe', on('topicfilter', filter)), filter).toBe(false)
    }
  })

  test('the client id of another brings neither its right to connect nor its tenant', async () => {
    const identity = await setUp()({ certificate: pem('freezer-1'), clientId: 'freezer-2' })
    expect(identity.tenant).toBe('acme')
    expect(identity.context.thing?.attachedToPrincipal).toBe(false)
    expect(may(identity, 'iot:Connect', on('client', 'freezer-2'))).toBe(false)
  })

  test('without a client id, as on HTTP, a device is its only thing', async () => {
    const identity = await setUp()({ certificate: pem('freezer-1') })
    expect(identity.context.clientId).toBeUndefined()
    expect(identity.context.thing).toMatchObject({ name: 'freezer-1', attachedToPrincipal: true })
    expect(may(identity, 'iot:Publish', on('topic', 'dt/freezer-1/telemetry'))).toBe(true)
    expect(may(identity, 'iot:Publish', on('topic', 'dt/freezer-2/telemetry'))).toBe(false)
  })

  test('an unregistered certificate is refused, whatever its name says', async () => {
    await expect(setUp()({ certificate: pem('foreign'), clientId: 'freezer-1' })).rejects.toMatchObject({
      code: 'NOT_AUTHENTICATED',
      message: 'the certificate is not registered',
    })
  })

  test.each<[status: 'INACTIVE' | 'REVOKED', says: string]>([
    ['INACTIVE', 'the certificate is not active'],
    ['REVOKED', 'the certificate was revoked'],
  ])('%s is refused', async (status, says) => {
    await expect(setUp('loopback', registry(status))({ certificate: pem('freezer-1') })).rejects.toThrow(says)
  })

  test('revoking counts at the next connect', async () => {
    let things = registry()
    const { identify } = createIdentities({ things: () => things, anonymous: 'off', clock })
    await identify({ certificate: pem('freezer-1'), loopback: false })
    things = registry('REVOKED')
    await expect(identify({ certificate: pem('freezer-1'), loopback: false })).rejects.toThrow('was revoked')
  })

  test.each([
    [Date.UTC(2026, 0, 1), 'is not valid yet'],
    [Date.UTC(2037, 0, 1), 'has expired'],
  ])('at %i it %s', async (now, says) => {
    const { identify } = createIdentities({ things: () => registry(), anonymous: 'loopback', clock: { ...clock, now: () => now } })
    await expect(identify({ certificate: pem('freezer-1'), loopback: true })).rejects.toThrow(says)
  })

  test('bytes that are no certificate are refused', async () => {
    await expect(setUp()({ certificate: Buffer.from([1, 2, 3]) })).rejects.toMatchObject({ code: 'NOT_AUTHENTICATED' })
  })

  test('the certificate counts, not the password beside it', async () => {
    const identity = await setUp()({ certificate: pem('freezer-1'), username: 'dev', password: 'wrong' })
    expect(identity.kind).toBe('certificate')
  })
})

describe('by secret', () => {
  test('a user with its password speaks for its things', async () => {
    const identity = await setUp()({ username: 'dev', password: 's3cret', clientId: 'freezer-2' })
    expect(identity).toMatchObject({ kind: 'user', principal: 'dev', tenant: 'globex' })
    expect(may(identity, 'iot:Connect', on('client', 'freezer-2'))).toBe(true)
  })

  test('a token is its name, a dot and its secret', async () => {
    const identity = await setUp()({ token: 'ci.s3cret' })
    expect(identity).toMatchObject({ kind: 'token', principal: 'ci', tenant: 'acme' })
  })

  test.each<[what: string, credentials: Partial<Credentials>]>([
    ['a wrong password', { username: 'dev', password: 's3cre' }],
    ['no password', { username: 'dev' }],
    ['a password without a name', { password: 's3cret' }],
    ['an unknown user', { username: 'nobody', password: 's3cret' }],
    ['a token’s name as a user', { username: 'ci', password: 's3cret' }],
    ['a token without its secret', { token: 'ci' }],
    ['a user’s name as a token', { token: 'dev.s3cret' }],
    ['an empty token', { token: '' }],
  ])('%s is refused with the same words, also on loopback', async (_what, credentials) => {
    await expect(setUp()({ ...credentials, loopback: true })).rejects.toMatchObject({
      code: 'NOT_AUTHENTICATED',
      message: 'the name or its secret is wrong',
    })
  })
})

describe('anonymous', () => {
  test('on this machine, with every right', async () => {
    const identity = await setUp()({ loopback: true, clientId: 'me' })
    expect(identity).toMatchObject({ kind: 'anonymous' })
    expect(identity.principal).toBeUndefined()
    expect(identity.tenant).toBeUndefined()
    expect(may(identity, 'iot:Connect', on('client', 'me'))).toBe(true)
  })

  test('nowhere else, and nowhere when it is off', async () => {
    await expect(setUp()({})).rejects.toMatchObject({ code: 'NOT_AUTHENTICATED' })
    await expect(setUp('off')({ loopback: true })).rejects.toMatchObject({ code: 'NOT_AUTHENTICATED' })
  })
})

describe('when the registry changes', () => {
  const changing = () => {
    let things = registry()
    const { identify } = createIdentities({ things: () => things, anonymous: 'loopback', clock })
    const become = (next: typeof things) => {
      things = next
    }
    return { become, identify: (credentials: Partial<Credentials>) => identify({ loopback: false, ...credentials }) }
  }
  const without = createThings(thingsSchema.parse({}), {})
  const credentials = [{ certificate: pem('freezer-1') }, { username: 'dev', password: 's3cret' }, { token: 'ci.s3cret' }]

  test.each(credentials)('%j stands while it is there', async (shown) => {
    const { become, identify } = changing()
    const identity = await identify({ ...shown, clientId: 'freezer-1' })
    become(registry())
    expect(identity.renewed()).toMatchObject({ principal: identity.principal, kind: identity.kind })
    become(without)
    expect(() => identity.renewed()).toThrow(expect.objectContaining({ code: 'NOT_AUTHENTICATED' }))
  })

  test('a revoked certificate stands no longer, and neither does a changed password', async () => {
    const { become, identify } = changing()
    const [device, person] = [await identify(credentials[0]!), await identify(credentials[1]!)]
    become(registry('REVOKED'))
    expect(() => device.renewed()).toThrow('was revoked')
    const changed = createThings(thingsSchema.parse({ users: [{ name: 'dev', hash: `${hash.slice(0, -4)}AAAA` }] }), {})
    become(changed)
    expect(() => person.renewed()).toThrow('has another secret')
  })

  test('nobody stays nobody', async () => {
    const { become, identify } = changing()
    const anonymous = await identify({ loopback: true })
    become(without)
    expect(anonymous.renewed().kind).toBe('anonymous')
  })
})

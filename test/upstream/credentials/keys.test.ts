// Keys of signatures from each of their sources.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { obtainKeys } from '../../../src/upstream/credentials/keys.js'
import { Issuer, type IssuerRoutes } from '../../helpers/issuer.js'

const END = '2030-01-02T03:04:05Z'
const END_MS = Date.parse(END)
const TEMPORARY = { AccessKeyId: 'ASIA1', SecretAccessKey: 'secret/1+', Token: 'token==', Expiration: END }
const LEASE = {
  value: { accessKeyId: 'ASIA1', secretAccessKey: 'secret/1+', sessionToken: 'token==' },
  expiresAtMs: END_MS,
}

async function open(t: Test, routes: IssuerRoutes): Promise<Issuer> {
  const issuer = await Issuer.listen(routes)
  t.teardown(() => issuer.close())
  return issuer
}

test('fixed keys never expire', async (t) => {
  const source = { from: 'keys', accessKeyId: 'AKIA1', secretAccessKey: 's', sessionToken: null } as const
  const { from: _, ...value } = source
  t.same(await obtainKeys(source, null), { value, expiresAtMs: Number.POSITIVE_INFINITY })
})

test('a role is assumed with the token of the file, which is read anew each time', async (t) => {
  const tokenFile = join(t.testdir({}), 'token')
  const member = (name: string, value: string) => `<${name}>${value}</${name}>`
  const { AccessKeyId, SecretAccessKey, Token, Expiration } = TEMPORARY
  const credentials =
    member('AccessKeyId', AccessKeyId) +
    member('SecretAccessKey', SecretAccessKey) +
    member('SessionToken', Token) +
    member('Expiration', Expiration)
  const issuer = await open(t, {
    '/': () => ({ body: `<Response xmlns="x"><Result>${member('Credentials', credentials)}</Result></Response>` }),
  })
  const source = {
    from: 'web-identity',
    url: `${issuer.origin}/`,
    roleArn: 'arn:r',
    sessionName: 'sluice',
    tokenFile,
  } as const
  for (const token of ['one', 'two']) {
    writeFileSync(tokenFile, token)
    t.same(await obtainKeys(source, null), LEASE)
  }
  const forms = issuer.asked.map(({ body }) => Object.fromEntries(new URLSearchParams(body)))
  t.match(forms, [{ WebIdentityToken: 'one' }, { WebIdentityToken: 'two' }])
  t.match(forms[0], {
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: 'arn:r',
    RoleSessionName: 'sluice',
  })
})

test('the server of a container is asked with its token, which may be in a file', async (t) => {
  const tokenFile = join(t.testdir({ token: 'from-file\n' }), 'token')
  const issuer = await open(t, { '/creds': () => ({ body: TEMPORARY }) })
  const url = `${issuer.origin}/creds`
  for (const given of [
    { token: null, tokenFile: null },
    { token: 'plain', tokenFile: null },
    { token: 'x', tokenFile },
  ]) {
    t.same(await obtainKeys({ from: 'container', url, ...given }, null), LEASE)
  }
  t.same(
    issuer.asked.map(({ headers }) => headers.authorization),
    [undefined, 'plain', 'from-file'],
  )
})

test('the metadata server of a machine is asked in a session of version 2', async (t) => {
  const roles = '/latest/meta-data/iam/security-credentials/'
  const issuer = await open(t, {
    '/latest/api/token': ({ method, headers }) =>
      method === 'PUT' && headers['x-aws-ec2-metadata-token-ttl-seconds'] === '300'
        ? { body: 'session-1' }
        : { status: 400, body: '' },
    [roles]: ({ headers }) =>
      headers['x-aws-ec2-metadata-token'] === 'session-1' ? { body: 'my-role\n' } : { status: 401, body: '' },
    [`${roles}my-role`]: ({ headers }) =>
      headers['x-aws-ec2-metadata-token'] === 'session-1'
        ? { body: { Code: 'Success', ...TEMPORARY } }
        : { status: 401, body: '' },
  })
  t.same(await obtainKeys({ from: 'instance', url: issuer.origin }, null), LEASE)
})

test('a machine without a role, and answers without keys, are failures that quote nothing', async (t) => {
  const answers = [
    {},
    { ...TEMPORARY, Token: '' },
    { ...TEMPORARY, Expiration: 'soon' },
    { ...TEMPORARY, AccessKeyId: 'a b' },
  ]
  const issuer = await open(t, {
    '/latest/api/token': () => ({ body: 's' }),
    '/latest/meta-data/iam/security-credentials/': () => ({ body: '<html>../canary</html>' }),
    '/creds': () => ({ body: answers.shift() ?? {} }),
  })
  await t.rejects(obtainKeys({ from: 'instance', url: issuer.origin }, null), { message: 'this machine has no role' })
  const source = { from: 'container', url: `${issuer.origin}/creds`, token: null, tokenFile: null } as const
  for (let i = 0; i < 4; i++)
    await t.rejects(obtainKeys(source, null), { message: /^127\.0\.0\.1:\d+ sent no temporary keys$/ })
})

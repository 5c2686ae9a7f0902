import { describe, expect, test } from 'vitest';
import { maskEvery, maskSecrets, maskText } from './secrets.ts';

/** In each form `S3cretValue9` is the secret: it must be gone, and what tells people which option it was must stay. */
const secret = 'S3cretValue9';
const argumentForms: readonly (readonly string[])[] = [
  ['app', '--password', secret],
  ['app', '--password', `-${secret}`],
  ['app', `--password=${secret}`],
  ['app', '-password', secret],
  ['app', `-Dspring.datasource.password=${secret}`],
  ['app', '--db-password', secret],
  ['app', '--db_passwd', secret],
  ['app', '--passphrase', secret],
  ['app', `--pw=${secret}`],
  ['app', '--pwd', secret],
  ['app', `--pass=${secret}`],
  ['app', '--token', secret],
  ['app', '--authToken', secret],
  ['app', '--auth-token', secret],
  ['app', `--access_token=${secret}`],
  ['app', '--refreshToken', secret],
  ['app', `--bearer=${secret}`],
  ['app', '--jwt', secret],
  ['app', `--secret-key=${secret}`],
  ['app', '--client-secret', secret],
  ['app', '--clientSecret', secret],
  ['app', `--key=${secret}`],
  ['app', '--api-key', secret],
  ['app', '--apiKey', secret],
  ['app', `--apikey=${secret}`],
  ['app', '--private-key', secret],
  ['app', `--encryption-key=${secret}`],
  ['app', `--master_key=${secret}`],
  ['app', '--license-key', secret],
  ['app', `--cookie=${secret}`],
  ['app', '--auth', secret],
  ['app', `--credentials=${secret}`],
  [`PGPASSWORD=${secret}`, 'psql'],
  [`MYSQL_PWD=${secret}`, 'mysql'],
  [`SECRETKEY=${secret}`],
  [`DJANGO_SECRET_KEY=${secret}`],
  [`JWT=${secret}`],
  [`JWT_SECRET=${secret}`],
  [`AWS_SECRET_ACCESS_KEY=${secret}`],
  [`AWS_SESSION_TOKEN=${secret}`],
  [`OPENAI_API_KEY=${secret}`],
  [`HF_TOKEN=${secret}`],
  [`GITHUB_TOKEN=${secret}`],
  [`REDIS_PASS=${secret}`],
  [`DBPASS=${secret}`],
  [`APP_SECRETS=${secret}`],
  [`SIGNING_KEY=${secret}`],
  [`STRIPE_API_KEY=${secret}`],
  ['env', `KUBE_TOKEN=${secret}`, 'python3'],
  ['msbuild', `/p:Password=${secret}`],
  ['msbuild', `/p:ApiKey=${secret}`],
  ['app', `token:${secret}`],
  ['app', `client_secret:${secret}`],
  ['app', `password:${secret}`],
  ['openssl', '-passin', `pass:${secret}`],
  ['app', `password = ${secret}`],
  ['curl', '-H', `Authorization: Bearer ${secret}`],
  ['curl', '-H', `Authorization: Basic ${secret}`],
  ['curl', '-H', `X-Api-Key: ${secret}`],
  ['curl', '--header', `Cookie: session=${secret}; other=1`],
  ['curl', '-H', `X-Auth-Token:${secret}`],
  ['curl', '-H', `Proxy-Authorization: ${secret}`],
  ['curl', '-u', `bob:${secret}`, 'https://host'],
  ['curl', '--user', `bob:${secret}`],
  ['http', '--auth', `bob:${secret}`],
  ['mysql', `-p${secret}`],
  ['mysqldump', '-u', 'root', `-p${secret}`, 'db'],
  ['/usr/bin/sshpass', '-p', secret, 'ssh', 'host'],
  ['docker', 'login', '-u', 'bob', '-p', secret],
  ['redis-cli', '-a', secret],
  ['ldapsearch', '-w', secret],
  ['app', `https://bob:${secret}@host/x`],
  ['app', `https://${secret}@host/x`],
  ['git', 'clone', `https://x-access-token:${secret}@host/x.git`],
  ['app', `postgres://bob:${secret}@host/db`],
  ['app', `postgresql+psycopg2://bob:${secret}@host:5432/db?x=1`],
  ['app', `redis://:${secret}@host:6379/0`],
  ['app', `amqp://:${secret}@host`],
  ['app', `--dsn=mongodb+srv://u:${secret}@host`],
  ['app', `https://host/x?access_token=${secret}&page=2`],
  ['app', `https://host/x?page=2&sig=${secret}`],
  ['app', `https://host/x?X-Amz-Signature=${secret}`],
  ['app', `https://host/x?api_key=${secret}#top`],
  ['app', `DefaultEndpointsProtocol=https;AccountName=a;AccountKey=${secret};`],
  ['app', `Server=db;Database=x;User Id=sa;Password=${secret};`],
  ['app', `{"password": "${secret}", "user": "bob"}`],
  ['app', `{"auth":{"token":"${secret}"}}`],
  ['app', `{'client_secret': '${secret}'}`],
  ['sh', '-c', `PASSWORD=${secret} exec python3 app.py`],
  ['sh', '-c', `export API_KEY='${secret}'; python3 app.py`],
  ['sh', '-c', `curl -H "Authorization: Bearer ${secret}" https://host`],
  ['sh', '-c', `python3 app.py --password=${secret} --verbose`],
  ['sh', '-c', `psql "postgres://bob:${secret}@host/db" -c 'select 1'`],
  ['python3', '-c', `password = "${secret}"\nprint(1)`],
  ['python3', '-c', `connect(user="bob", password='${secret}')`],
];
const textForms: readonly string[] = [
  `connection to postgres://bob:${secret}@db:5432/app failed`,
  `Authorization: Bearer ${secret}`,
  `> Authorization: Basic ${secret}`,
  `"Authorization": "Bearer ${secret}"`,
  `authorization=${secret}`,
  `Set-Cookie: sid=${secret}; HttpOnly`,
  `password=${secret} rejected`,
  `password: ${secret}`,
  `api_key: "${secret}"`,
  `config = {'password': '${secret}', 'host': 'db'}`,
  `GET /v1/items?api_key=${secret}&limit=10`,
  `secret_key => ${secret}`,
  `password := "${secret}"`,
  `KeyError while reading token='${secret}'`,
];
const bareForms: readonly string[] = [
  'ghp_0123456789abcdefghijABCDEFGHIJ012345',
  'github_pat_11ABCDEFG0123456789_abcdefghijklmnopqrstuvwxyz',
  'glpat-abcdefghij0123456789',
  'xoxb-123456789012-abcdefghijkl',
  'sk-abcdefghijklmnopqrstuvwx0123456789ABCDEFGHIJKL',
  'sk-proj-abcdefghijklmnopqrstuv',
  'sk_live_abcdefghijklmnop',
  'AKIAIOSFODNN7EXAMPLE',
  'AIzaSyA-0123456789abcdefghijklmnopqrstu',
  'hf_abcdefghijklmnopqrstuvwxyz012345',
  'npm_abcdefghijklmnopqrstuvwxyz0123456789',
  'pypi-AgEIcHlwaS5vcmcCJDAwMDAwMDAw',
  'dckr_pat_abcdefghijklmnop',
  'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl',
  '-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----',
  '-----BEGIN PRIVATE KEY----- cut off here',
];
/** Nothing of these is touched. */
const innocentCommands: readonly (readonly string[])[] = [
  ['python3', '-p', '8080', '--tokenizer=bert', 'passwords.txt'],
  ['app', '--token', '--verbose'],
  ['app', '--password', '-v'],
  ['app', '--password-file', '/run/secrets/db'],
  ['app', '--password-stdin'],
  ['app', '--max-tokens=4096', '--num_tokens', '100'],
  ['app', '--pad-token=<pad>', '--eos_token', '</s>'],
  ['sort', '--key=2', '-k', '1,3'],
  ['app', '--sort-key=name', '--partition-key', 'id', '--primary_key=id'],
  ['app', '--public-key=abc', '--cache-key=v1', '--group-key=user'],
  ['app', '--key', '/etc/ssl/private/host.key', '--cert=host.pem'],
  ['app', '--auth=basic', '--auth', 'none'],
  ['app', '--token=$TOKEN', '--password=${DB_PASSWORD}'],
  ['app', '--author=Bob', '--authority', 'x'],
  ['app', '--compass=1', '--bypass=2', '--pass-through'],
  ['docker', 'run', '-p', '8080:80', '-u', '1000:1000', 'image:tag'],
  ['curl', '-u', '1000:1000'],
  ['git', 'clone', 'ssh://git@host/x.git'],
  ['git', 'clone', 'git@github.com:owner/name.git'],
  ['psql', 'postgres://bob@host/db'],
  ['app', 'https://host:8443/path?page=2&key_column=id'],
  ['PWD=/srv/app', 'OLDPWD=/srv'],
  ['python3', '-c', 'import keyword; print(keyword.iskeyword("x"))'],
  ['python3', '-m', 'tokenize', 'a.py'],
  ['app', '--secret-name=db', '--secrets-dir=/run/secrets'],
  ['rsync', '--password-file=/etc/rsync.pass', 'a', 'b'],
  ['app', '--first-pass=1', '--two-pass=yes'],
  ['app', 'C:/tokens/x', 'D:\\keys\\y'],
  ['app', '--monkey=3', '--turkey', 'x', '--keyboard=us'],
];
const innocentTexts: readonly string[] = [
  'json.decoder.JSONDecodeError: invalid token: unexpected end of data',
  'SyntaxError: invalid token',
  'KeyError: key',
  'Token indices sequence length is longer than the specified maximum (600 > 512)',
  'tokens: 4096, max_new_tokens=256',
  'Enter password:',
  'password: incorrect',
  'token: 50256',
  'primary_key=id, foreign_key=user_id',
  'Memory cgroup out of memory: Killed process 2400 (python3) total-vm:280752kB, anon-rss:262144kB',
  'oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,task=python3,pid=18971,uid=0',
  'File "/srv/app/tokens.py", line 12, in parse',
  'cookie policy: accepted',
  'mem_cgroup_out_of_memory+0x13c/0x150',
  'Authorization failed for user bob',
  'numpy._core._exceptions._ArrayMemoryError: Unable to allocate 7.28 TiB for an array with shape (1000000000000,)',
  'https://docs.python.org/3/library/secrets.html#module-secrets',
  'sk-learn is not sk-abc',
  'connect to redis://cache:6379/0',
  "{'password': None, 'token': ''}",
  '#0  __GI_raise (sig=sig@entry=6) at ../sysdeps/unix/sysv/linux/raise.c:50',
  '#4  lookdict (mp=0x7ffff6f1c2c0, key=0x7ffff6ed8e70, hash=-4812) at Objects/dictobject.c:745',
  '#7  dict_lookup (key=key@entry=0x7ffff6ed8e70) at Objects/dictobject.c:1041',
];

test('at least a hundred forms', () => {
  expect(argumentForms.length + textForms.length + bareForms.length).toBeGreaterThanOrEqual(100);
});

test.each(argumentForms.map((words) => [words.join(' '), words] as const))(
  'masked: %s',
  (_, words) => {
    const said = maskSecrets(words).join(' ');
    expect(said).not.toContain(secret);
    expect(said).toContain('***');
  },
);
test.each(textForms)('masked in a text: %s', (text) => {
  expect(maskText(text)).not.toContain(secret);
  expect(maskText(text)).toContain('***');
});
test.each(bareForms)('masked wherever it stands: %s', (value) => {
  expect(maskText(`x ${value} y`)).toBe('x *** y'.slice(0, value.endsWith('here') ? 5 : undefined));
  expect(maskSecrets(['app', value])).toEqual(['app', '***']);
});

describe('is left as it is', () => {
  test.each(innocentCommands.map((words) => [words.join(' '), words] as const))(
    '%s',
    (_, words) => {
      expect(maskSecrets(words)).toEqual(words);
    },
  );
  test.each(innocentTexts)('%s', (text) => {
    expect(maskText(text)).toBe(text);
  });
});

test('what is told of a masked command is still what was asked for', () => {
  expect(
    maskSecrets([
      'curl',
      '-H',
      'Authorization: Bearer x1y2z3w4',
      '--user',
      'bob:pw',
      'https://h/?token=abcdefgh1&page=2',
    ]),
  ).toEqual([
    'curl',
    '-H',
    'Authorization: Bearer ***',
    '--user',
    'bob:***',
    'https://h/?token=***&page=2',
  ]);
});

test('masking twice changes nothing more', () => {
  for (const words of argumentForms) {
    const once = maskSecrets(words);
    expect(maskSecrets(once)).toEqual(once);
  }
  for (const text of textForms) expect(maskText(maskText(text))).toBe(maskText(text));
});

test('a megabyte of anything is done in time', () => {
  for (const part of [
    'a=',
    'password',
    '"',
    "key: '",
    'x://',
    'eyJa.',
    '-----BEGIN PRIVATE KEY-----',
    'Cookie: ',
    ' ',
    'a-',
  ])
    expect(maskText(part.repeat(Math.ceil(2 ** 20 / part.length))).length).toBeGreaterThan(0);
}, 20_000);

describe('every text of a value', () => {
  const said = `password=${secret}`;
  test('wherever it stands; what has no secret is the very same', () => {
    const innocent = { a: [1, null, 2], b: { c: 'rows', d: null }, command: ['python3', 'app.py'] };
    const value = { innocent, list: ['x', said], deep: { quote: `a\n${said}\nb`, n: 5 } };
    const masked = maskEvery(value);
    expect(JSON.stringify(masked)).not.toContain(secret);
    expect(masked.innocent).toBe(innocent);
    expect(masked).toMatchObject({ list: ['x', 'password=***'], deep: { n: 5 } });
    expect(maskEvery(innocent)).toBe(innocent);
  });
  test('a command as a command', () => {
    expect(maskEvery({ command: `app --token ${secret} --fast` })).toEqual({
      command: 'app --token *** --fast',
    });
    expect(maskEvery({ command: ['app', '--token', secret] })).toEqual({
      command: ['app', '--token', '***'],
    });
  });
});

/*
 * For mongosh: three servers become one replica set, with an administrator and a user for Curfew that can do no more than
 * read and write its own database. Invariant: it may be killed anywhere and run again; over what is there already it only
 * brings Curfew's password up to date. It must run on the loopback of the first member: until there is a first user,
 * MongoDB lets nobody else make one.
 */
const { readFileSync } = require('node:fs');

const NAME = 'rs0';
const MEMBERS = ['mongo1:27017', 'mongo2:27017', 'mongo3:27017'];
const PATIENCE_SECONDS = 120;
const ALREADY_INITIALIZED = 23;
const AUTHENTICATION_FAILED = 18;
const UNAUTHORIZED = 13;

const administrator = { user: 'admin', pwd: secret('mongo-admin-password') };
const curfew = { pwd: secret('mongo-curfew-password'), roles: [{ role: 'readWrite', db: 'curfew' }] };

const here = connect('mongodb://127.0.0.1:27017/admin?directConnection=true');
if (here.hello().setName === undefined) initiate();
until('there is a primary', () => here.hello().primary !== undefined);

const set = connect(`mongodb://${MEMBERS.join(',')}/admin?replicaSet=${NAME}`);
if (!signedIn()) {
  until('the first member is the primary', () => here.hello().isWritablePrimary);
  createAdministrator();
  until('the administrator is known', signedIn);
}

const database = set.getSiblingDB('curfew');
if (database.getUser('curfew') === null) database.createUser({ user: 'curfew', ...curfew });
else database.updateUser('curfew', curfew);
print('The replica set stands, and Curfew has its user.');

function initiate() {
  // The first member is preferred as primary: should this end half-way, the next run finds it to be one again.
  const members = MEMBERS.map((host, _id) => ({ _id, host, priority: _id === 0 ? 2 : 1 }));
  attempt(ALREADY_INITIALIZED, () => here.adminCommand({ replSetInitiate: { _id: NAME, members } }));
}

function signedIn() {
  // A copy, since mongosh writes into what it is given.
  return attempt(AUTHENTICATION_FAILED, () => set.auth({ ...administrator }));
}

function createAdministrator() {
  const made = attempt(UNAUTHORIZED, () => here.createUser({ ...administrator, roles: ['root'] }));
  if (made) return;
  throw new Error('the administrator has another password than mongo-admin-password: put the old one back');
}

/** Whether it could be done; anything but the one foreseen refusal is a fault. */
function attempt(foreseen, act) {
  try {
    act();
    return true;
  } catch (fault) {
    if (fault.code === foreseen) return false;
    throw fault;
  }
}

function until(what, ask) {
  const deadline = Date.now() + PATIENCE_SECONDS * 1000;
  while (!ask()) {
    if (Date.now() > deadline) throw new Error(`still waiting until ${what}`);
    sleep(500);
  }
}

function secret(name) {
  return readFileSync(`/run/secrets/${name}`, 'utf8').replace(/\r?\n$/, '');
}

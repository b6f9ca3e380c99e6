// Login
const loginResponse = await fetch('http://localhost/api/v1/auth/login', {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({
    username: 'admin',
    password: 'password'
  })
});
const { access_token } = await loginResponse.json();
// Create job
const jobResponse = await fetch('http://localhost/api/v1/jobs', {
  method: 'POST',
  headers: {
    'Authorization': `Bearer ${access_token}`,
    'Content-Type': 'application/json'
  },
  body: JSON.stringify({
    url: 'https://example.com',
    engine: 'auto',
    selectors: {
      title: 'h1::text',
      price: '.price::text'
    }
  })
});
const job = await jobResponse.json();
console.log('Job created:', job.id);

import requests
# Login
response = requests.post('http://localhost/api/v1/auth/login', data={
    'username': 'admin',
    'password': 'password'
})
token = response.json()['access_token']
# Create job
headers = {'Authorization': f'Bearer {token}'}
job_data = {
    'url': 'https://example.com',
    'engine': 'auto',
    'selectors': {
        'title': 'h1::text',
        'price': '.price::text'
    }
}
response = requests.post('http://localhost/api/v1/jobs', json=job_data, headers=headers)
job = response.json()
# Get results
results = requests.get(f'http://localhost/api/v1/results/{job["id"]}', headers=headers)
print(results.json())
